"""Logs, address ranges and totals as Polars plans: what both peers with Polars share."""
import glob
import os

os.environ.setdefault('POLARS_MAX_THREADS', '2')

import polars as pl

LOG = {'log_id': pl.String, 'user_id': pl.String, 'timestamp': pl.String, 'ip_address': pl.String, 'watch_time(min)': pl.Int64}
ADDRESS = pl.col('ip_address')
IS_IP6 = ADDRESS.str.contains(':', literal=True)
UNKNOWN = 'ZZ'


def log_files(folder):
    return sorted(glob.glob(f'{folder}/*.csv'))


def scan(files) -> pl.LazyFrame:
    return pl.scan_csv(files, schema=LOG).select('log_id', 'user_id', 'ip_address', watch='watch_time(min)')


class Ranges:
    """The IP database: sorted first addresses and their regions (see ../ranges.ts)."""

    def __init__(self, folder: str):
        table = lambda name: pl.read_parquet(f'{folder}/{name}.parquet')
        region = pl.col('region').cast(pl.Enum(table('regions')['region']))
        self.ip4 = table('ip4').select('first', region)
        self.ip6 = table('ip6').select(wide('first'), region)


def wide(column: str) -> pl.Expr:
    """128 bits from their halves."""
    return (pl.col(f'{column}_high').cast(pl.UInt128) * 2**64 + pl.col(f'{column}_low')).alias(column)


def ip4_number() -> pl.Expr:
    parts = ADDRESS.str.split('.').list
    a, b, c, d = (parts.get(at, null_on_oob=True).cast(pl.UInt32, strict=False) for at in range(4))
    return a * 2**24 + b * 2**16 + c * 2**8 + d


def ip6_number() -> pl.Expr:
    """`::` is filled up with zeros first."""
    missing = 8 - ADDRESS.str.count_matches(':', literal=True).cast(pl.Int8) + ADDRESS.str.starts_with('::') + ADDRESS.str.ends_with('::')
    zeros = pl.lit('0:0:0:0:0:0:0:0:').str.slice(0, 2 * missing)
    parts = ADDRESS.str.replace('::', pl.lit(':') + zeros, literal=True).str.strip_chars(':').str.split_exact(':', 7).struct
    g = [parts.field(f'field_{at}').str.to_integer(base=16, dtype=pl.UInt64, strict=False) for at in range(8)]
    high = g[0] * 2**48 + g[1] * 2**32 + g[2] * 2**16 + g[3]
    return high.cast(pl.UInt128) * 2**64 + (g[4] * 2**48 + g[5] * 2**32 + g[6] * 2**16 + g[7])


def with_region(logs: pl.LazyFrame, ranges: Ranges, look_up) -> pl.LazyFrame:
    """`region` instead of `ip_address`; `look_up(logs with address, sorted ranges)` adds the column."""
    ip4 = look_up(logs.filter(~IS_IP6).with_columns(address=ip4_number()), ranges.ip4)
    ip6 = look_up(logs.filter(IS_IP6).with_columns(address=ip6_number()), ranges.ip6)
    return pl.concat([half.drop('ip_address', 'address') for half in (ip4, ip6)])


def by_asof(logs: pl.LazyFrame, table: pl.DataFrame) -> pl.LazyFrame:
    return logs.sort('address').join_asof(table.lazy().rename({'first': 'address'}), on='address')


def sums(logs: pl.LazyFrame) -> pl.LazyFrame:
    return logs.group_by(geo_region=pl.col('region').fill_null(UNKNOWN), user_id='user_id').agg(
        total_watch_time=pl.sum('watch'), log_count=pl.len())
