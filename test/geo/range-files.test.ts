/** The range table as files for Spark, read back by hyparquet: its shape, and that it is the same each time. What it says of addresses, test/spark/address.ts asks Spark. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { writeRanges } from '../../lib/spark/range-files.ts';
import { rangeBuckets } from '../../lib/spark/range-buckets.ts';
import { temporaryFolder } from '../temporary.ts';
import { writeMmdb } from './mmdb-writer.ts';
import { openLookup } from './sides.ts';

interface Bucket {
  readonly bucket: bigint;
  readonly first: bigint[];
  readonly low: bigint[];
  readonly region: string[];
}

async function bucketsIn(path: string): Promise<Bucket[]> {
  const bytes = readFileSync(path);
  return await parquetReadObjects({ file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), compressors }) as unknown as Bucket[];
}

test('the embedded database: the same bytes each time, buckets in order, ranges in order and none beside another of its region', async (t) => {
  const folders = [temporaryFolder(t), temporaryFolder(t)] as const;
  const [one, other] = [await writeRanges(folders[0], {}), await writeRanges(folders[1], {})];
  assert.deepEqual(one, other);
  assert.deepEqual(one.files, ['ranges.json', 'buckets/part-00000.parquet']);
  for (const file of one.files) assert.deepEqual(readFileSync(join(folders[0], file)), readFileSync(join(folders[1], file)));
  const { table } = await openLookup('twin', {});
  assert.deepEqual(one.regions, table.regions);
  const buckets = await bucketsIn(join(folders[0], one.files[1]!));
  const about = JSON.parse(readFileSync(join(folders[0], 'ranges.json'), 'utf8')) as { ranges: number; steps: number };
  const largest = Math.max(...buckets.map(({ first }) => first.length));
  assert.ok(largest <= 2 ** about.steps && largest > 2 ** (about.steps - 1));
  assert.equal(about.ranges, buckets.reduce((sum, { first }) => sum + first.length, 0));
  assert.ok(about.ranges < (table.ranges4 + table.ranges6) * 1.2);
  buckets.forEach(({ bucket, first, low, region }, i) => {
    if (i > 0) assert.ok(bucket > buckets[i - 1]!.bucket);
    assert.equal(region.length, first.length);
    assert.ok(low.length === 0 || low.length === first.length);
    for (let j = 1; j < first.length; j++) {
      assert.ok(first[j]! > first[j - 1]! || (first[j] === first[j - 1] && low[j]! > low[j - 1]!));
      assert.notEqual(region[j], region[j - 1]);
    }
  });
});

test('a field that there is not: the error of a local run', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'test.mmdb');
  writeFileSync(file, writeMmdb({ recordSize: 24, ipVersion: 6, networks: [['1.0.0.0/8', { country_code: 'AU' }]] }));
  await assert.rejects(writeRanges(folder, { file, field: 'city' }), { code: 'ETL_GEO_DATABASE', hint: 'Name one by --geo-field: country_code.' });
  await assert.rejects(writeRanges(file, { file }), { code: 'ETL_OUTPUT_WRITE' });
});

test('a table larger than a part has several', () => {
  const first = Uint32Array.from({ length: 1000 }, (_, i) => i * 40_000);
  const ranges4 = { count: 1000, first, region: Uint32Array.from({ length: 1000 }, (_, i) => i % 2) };
  const ranges6 = { count: 1, high: BigInt64Array.of(-(1n << 63n)), low: BigInt64Array.of(-(1n << 63n)), region: Uint32Array.of(1) };
  const { parts, ranges } = rangeBuckets({ ranges4, ranges6, names: ['DE', 'ZZ'], unknown: 1 }, 100);
  assert.ok(parts.length > 5);
  const [whole] = rangeBuckets({ ranges4, ranges6, names: ['DE', 'ZZ'], unknown: 1 }).parts;
  assert.equal(parts.reduce((sum, { rows }) => sum + rows, 0), whole!.rows);
  assert.ok(ranges > 1000);
});
