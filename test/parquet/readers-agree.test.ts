/** Whatever is written, three independent readers find it again, row for row. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compressions, parquetEncodings } from '../../lib/core/options.ts';
import { randomRows, type Row } from './batches.ts';
import { writeDataset } from './dataset.ts';
import { assertSameLines, duckdbLines, hyparquetLines, linesOf, parquetjsLines } from './readers.ts';

const DECIMAL_LIMIT = 10n ** 18n;

/** A few regions, each as a few row groups of uneven size. */
function groupsOf(seed: number, limit?: bigint): Row[][] {
  return ['AT', 'DE', 'FR'].flatMap((region, i) => {
    const rows = randomRows(seed + i, 400 + 700 * i, region, limit);
    return [rows.slice(0, 1), rows.slice(1, 300), rows.slice(300)];
  });
}

describe('readers agree', () => {
  for (const encoding of parquetEncodings) {
    for (const compression of compressions) {
      test(`${encoding}, ${compression}`, async (context) => {
        const groups = groupsOf(11);
        const dataset = await writeDataset(context, groups, { encoding, compression });
        const expected = linesOf(groups.flat());
        assertSameLines(await duckdbLines(dataset), expected);
        assertSameLines(await hyparquetLines(dataset), expected);
        if (encoding === 'plain' && compression !== 'zstd') assertSameLines(await parquetjsLines(dataset), expected);
      });
    }
  }

  for (const scale of [1, 2, 3, 4, 5, 6]) {
    for (const encoding of parquetEncodings) {
      test(`DECIMAL(18, ${scale}), ${encoding}`, async (context) => {
        const groups = groupsOf(100 + scale, DECIMAL_LIMIT - 1n);
        assert.ok(groups.flat().some(({ total }) => total < 0n));
        const dataset = await writeDataset(context, groups, { scale, encoding });
        const expected = linesOf(groups.flat());
        assertSameLines(await duckdbLines(dataset), expected);
        assertSameLines(await hyparquetLines(dataset), expected);
      });
    }
  }

  for (const encoding of parquetEncodings) {
    test(`grouped by user, ${encoding}`, async (context) => {
      const regions = ['US', 'DE', 'Île-de-France', '', 'a/b'];
      const rows = randomRows(5, 2500, '').map((row, i) => ({ ...row, region: regions[(i * 7) % 5 === 3 ? 0 : i % 5]! }));
      const groups = [rows.slice(0, 2000), rows.slice(2000, 2001), rows.slice(2001)];
      const dataset = await writeDataset(context, groups, { groupBy: 'user', encoding, compression: 'snappy' });
      assert.deepEqual(dataset.files.map(({ path, region, rowGroups }) => [path, region, rowGroups]), [['part-00000.parquet', undefined, 3]]);
      const expected = linesOf(rows);
      assertSameLines(await duckdbLines(dataset), expected);
      assertSameLines(await hyparquetLines(dataset), expected);
      if (encoding === 'plain') assertSameLines(await parquetjsLines(dataset), expected);
    });
  }

  test('a row group beyond a million rows stays one', async (context) => {
    const rows: Row[] = Array.from({ length: 1_100_000 }, (_, i) =>
      ({ region: 'US', user: Buffer.from(`u${String(i).padStart(7, '0')}`), total: BigInt(i), count: 1n }));
    const dataset = await writeDataset(context, [rows]);
    assert.equal(dataset.files[0]!.rowGroups, 1);
    assert.deepEqual(dataset.files.map(({ rows }) => rows), [1_100_000]);
  });
});
