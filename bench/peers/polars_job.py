"""The same job by Polars' streaming engine, as fast as we could write it: polars_job.py <folder> <output> <ranges> [formulation].

What the formulations gave stands in ../README.md. Equal ids of generated logs are equal rows, so that any may win.
"""
import sys

import usage
from polars_plan import Ranges, by_asof, log_files, pl, scan, sums, with_region


def unique(logs):
    return logs.unique('log_id', keep='any').drop('log_id')


def first(logs):
    return logs.group_by('log_id').agg(pl.all().first()).drop('log_id')


def unique_hash(logs):
    """By 128 bits of hash of the id."""
    halves = {f'hash{seed}': pl.col('log_id').hash(seed) for seed in (1, 2)}
    return logs.with_columns(**halves).drop('log_id').unique(list(halves), keep='any').drop(*halves)


def by_bins(logs, table):
    """Number of the range, and a hash join by it."""
    region = table.lazy().select(pl.int_range(pl.len(), dtype=pl.UInt32).alias('bin'), 'region')
    bins = pl.col('address').bin_intervals(table['first'][1:].to_list(), labels=False, right_closed=False)
    return logs.with_columns(bin=bins).join(region, on='bin', how='left').drop('bin')


def by_search(logs, table):
    """Binary search, called for batches of addresses."""
    at = lambda addresses: table['region'].gather(table['first'].search_sorted(addresses, side='right') - 1)
    return logs.with_columns(region=pl.col('address').map_batches(at, return_dtype=table['region'].dtype, is_elementwise=True))


def by_where(logs, table):
    """Inequality join."""
    spans = table.lazy().with_columns(end=pl.col('first').shift(-1))
    return logs.join_where(spans, pl.col('address') >= pl.col('first'), pl.col('address') < pl.col('end')).drop('first', 'end')


FORMULATIONS = {
    'region by ASOF joins, then unique': lambda logs, ranges: sums(unique(with_region(logs, ranges, by_asof))),
    'region by ASOF joins, then first()': lambda logs, ranges: sums(first(with_region(logs, ranges, by_asof))),
    'unique, then region by ASOF joins': lambda logs, ranges: sums(with_region(unique(logs), ranges, by_asof)),
    'first(), then region by ASOF joins': lambda logs, ranges: sums(with_region(first(logs), ranges, by_asof)),
    'ids as 128-bit hash, unique, then region by ASOF joins': lambda logs, ranges: sums(with_region(unique_hash(logs), ranges, by_asof)),
    'region by ASOF joins, then ids as 128-bit hash, unique': lambda logs, ranges: sums(unique_hash(with_region(logs, ranges, by_asof))),
    'region by bins and a join, then unique': lambda logs, ranges: sums(unique(with_region(logs, ranges, by_bins))),
    'unique, then region by bins and a join': lambda logs, ranges: sums(with_region(unique(logs), ranges, by_bins)),
    'region by search_sorted, then unique': lambda logs, ranges: sums(unique(with_region(logs, ranges, by_search))),
    'unique, then region by search_sorted': lambda logs, ranges: sums(with_region(unique(logs), ranges, by_search)),
    'region by inequality joins, then unique': lambda logs, ranges: sums(unique(with_region(logs, ranges, by_where))),
}


def main():
    if sys.argv[1] == '--list':
        print('\n'.join(FORMULATIONS))
        return
    folder, output, ranges, name = (sys.argv[1:] + [''])[:4]
    plan = FORMULATIONS[name or next(iter(FORMULATIONS))](scan(log_files(folder)), Ranges(ranges))
    plan.sink_parquet(pl.PartitionBy(output, key='geo_region', include_key=False), compression='zstd', mkdir=True,
                      maintain_order=False, engine='streaming')
    usage.report()


if __name__ == "__main__":
    main()
