/**
 * The embedded IP database as tables for SQL: what DuckDB joins addresses with. Made once and untimed, by `maxmind`
 * alone, so that DuckDB's answer owes nothing to lib/geo. Node: `exportRanges(folder)` writes
 *
 *   regions.parquet            region                          every region, ZZ included
 *   ip4.parquet                first, region                   sorted, without gaps: ranges end where the next begins
 *   ip6.parquet                first_high, first_low, region   the same; addresses below 2^32 (::/96) are left out
 *   ip4-buckets.parquet        bucket, first, last, region     ranges cut at 2^13 addresses; bucket = address >> 13; no ZZ
 *   ip6-buckets.parquet        bucket, first_*, last_*, region cut at /16, and at /28 where a /16 has several regions
 *   ip6-fine-prefixes.parquet  prefix                          those /16: bucket = 2^28 + (address >> 100), else address >> 112
 *
 * Parquet has no 128-bit integers, hence the halves.
 */
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api';
import maxmind from 'maxmind';
import type { Reader, Response } from 'maxmind';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** First address and region, until the next one's first address. */
type Ranges = [first: bigint, region: string][];

const UNKNOWN = 'ZZ';
const IP4_BUCKET_BITS = 13n;
const PREFIX_SHIFT = 112n;
const FINE_SHIFT = 100n;
const FINE_OFFSET = 1n << 28n;
const LOW = (1n << 64n) - 1n;

export async function exportRanges(database: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const reader = await maxmind.open(database);
  const ip4 = walk(reader, 32n, 0n, (at) => [24n, 16n, 8n, 0n].map((shift) => (at >> shift) & 255n).join('.'));
  const ip6 = walk(reader, 128n, 1n << 32n, (at) => at.toString(16).padStart(32, '0').replace(/.{4}(?!$)/g, '$&:'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const save = (name: string, columns: string, fill: (appender: DuckDBAppender) => void): Promise<void> =>
    saveTable(connection, join(folder, `${name}.parquet`), columns, fill);

  const regions = new Set([UNKNOWN, ...ip4.map(([, region]) => region), ...ip6.map(([, region]) => region)]);
  await save('regions', 'region VARCHAR', (to) => {
    for (const region of [...regions].sort()) row(to, region);
  });
  await save('ip4', 'first UINTEGER, region VARCHAR', (to) => {
    for (const [first, region] of ip4) row(to, Number(first), region);
  });
  await save('ip6', 'first_high UBIGINT, first_low UBIGINT, region VARCHAR', (to) => {
    for (const [first, region] of ip6) row(to, first >> 64n, first & LOW, region);
  });
  await save('ip4-buckets', 'bucket UINTEGER, first UINTEGER, last UINTEGER, region VARCHAR', (to) => {
    for (const [start, end, region] of known(ip4, 32n)) {
      for (const [bucket, first, last] of cut(start, end, IP4_BUCKET_BITS)) row(to, Number(bucket), Number(first), Number(last), region);
    }
  });
  const fine = new Set(ip6.filter(([first]) => first % (1n << PREFIX_SHIFT) !== 0n).map(([first]) => first >> PREFIX_SHIFT));
  await save('ip6-fine-prefixes', 'prefix UBIGINT', (to) => {
    for (const prefix of fine) row(to, prefix);
  });
  const columns = 'bucket UINTEGER, first_high UBIGINT, first_low UBIGINT, last_high UBIGINT, last_low UBIGINT, region VARCHAR';
  await save('ip6-buckets', columns, (to) => {
    for (const [start, end, region] of known(ip6, 128n)) {
      for (const [prefix, first, last] of cut(start, end, PREFIX_SHIFT)) {
        const pieces = fine.has(prefix) ? cut(first, last, FINE_SHIFT) : [[prefix - FINE_OFFSET, first, last] as const];
        for (const [bucket, a, b] of pieces) row(to, Number(FINE_OFFSET + bucket), a >> 64n, a & LOW, b >> 64n, b & LOW, region);
      }
    }
  });
  connection.closeSync();
  instance.closeSync();
}

/** Every range of the tree, neighbours of one region joined. */
function walk(reader: Reader<Response>, bits: bigint, from: bigint, text: (address: bigint) => string): Ranges {
  const ranges: Ranges = [];
  for (let at = from; at < 1n << bits; ) {
    const [record, length] = reader.getWithPrefixLength(text(at));
    const region = (record as { country_code?: string } | null)?.country_code ?? UNKNOWN;
    if (ranges.at(-1)?.[1] !== region) ranges.push([at, region]);
    const size = bits - BigInt(length);
    at = ((at >> size) + 1n) << size;
  }
  return ranges;
}

function* known(ranges: Ranges, bits: bigint): Generator<[first: bigint, last: bigint, region: string]> {
  for (const [i, [first, region]] of ranges.entries()) {
    if (region !== UNKNOWN) yield [first, (ranges[i + 1]?.[0] ?? 1n << bits) - 1n, region];
  }
}

/** A range cut at the borders of blocks of 2^bits. */
function* cut(first: bigint, last: bigint, bits: bigint): Generator<readonly [block: bigint, first: bigint, last: bigint]> {
  for (let at = first; at <= last; ) {
    const block = at >> bits;
    const end = ((block + 1n) << bits) - 1n;
    yield [block, at, end < last ? end : last];
    at = end + 1n;
  }
}

async function saveTable(connection: DuckDBConnection, path: string, columns: string, fill: (to: DuckDBAppender) => void): Promise<void> {
  await connection.run(`CREATE OR REPLACE TABLE ranges (${columns})`);
  const appender = await connection.createAppender('ranges');
  fill(appender);
  appender.closeSync();
  await connection.run(`COPY ranges TO '${path.replaceAll("'", "''")}'`);
}

function row(to: DuckDBAppender, ...values: (string | number | bigint)[]): void {
  for (const value of values) {
    if (typeof value === 'string') to.appendVarchar(value);
    else if (typeof value === 'number') to.appendUInteger(value);
    else to.appendUBigInt(value);
  }
  to.endRow();
}
