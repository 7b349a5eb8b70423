/** The statistics that we add are those of the writer, byte by byte, and true. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ArrowIpc } from '../../lib/parquet/arrow-ipc.ts';
import { RowGroupEncoder, type EncodedRowGroup, type EncoderOptions } from '../../lib/parquet/encoder.ts';
import { Footer, MAGIC } from '../../lib/parquet/footer.ts';
import { loadWriter, type WrittenFile } from '../../lib/parquet/parquet-wasm.ts';
import { noStatistics, statisticsOf } from '../../lib/parquet/statistics.ts';
import { RegionStrings } from '../../lib/parquet/strings.ts';
import { writerSettings } from '../../lib/parquet/writer-settings.ts';
import { random } from '../random.ts';
import { randomRows, resultBatch, user, type Row } from './batches.ts';
import { writeDataset } from './dataset.ts';
import { duckdb, hyparquetContents } from './readers.ts';

const REGIONS = ['DE', '', 'Île-de-France'];
const writer = await loadWriter();

/** The row group's file with the writer's statistics, with ours, and by the encoder: all must be equal. */
function assertSameFile(rows: readonly Row[], options: EncoderOptions, context: string): void {
  const batch = resultBatch(rows, { groupBy: options.groupBy, names: REGIONS });
  const { userOffsets, userBytes, totals, counts, topRegions } = batch;
  const write = (statistics: boolean): WrittenFile => {
    const stream = new ArrowIpc().layOut(batch.rows, [
      { name: 'user_id', offsets: userOffsets, bytes: userBytes },
      { name: 'total_watch_time', values: totals },
      { name: 'log_count', values: counts },
      ...(topRegions ? [{ name: 'geo_region', ...new RegionStrings().fill(topRegions, batch.rows) }] : []),
    ]);
    return writer.write(stream.bytes, (target) => stream.write(target), writerSettings(options, batch, statistics));
  };
  const taken = ({ file }: Pick<EncodedRowGroup, 'file'>, more: Uint8Array = new Uint8Array(0)): Uint8Array => {
    const bytes = new Uint8Array(file.length + more.length);
    file.moveTo(bytes.subarray(0, file.length));
    bytes.set(more, file.length);
    return bytes;
  };
  const alone = taken({ file: write(true) }, noStatistics());
  const bare = write(false);
  const [expected, ours, encoded] = [alone, taken({ file: bare }, statisticsOf(bare.bytes, batch)), taken(new RowGroupEncoder(writer, options).encode(batch))].map((file) => {
    const footer = new Footer({ createdBy: '', metadata: {}, scale: 0 });
    const pages = footer.add({ file, rows: rows.length, sorted: true }, MAGIC.length);
    return Buffer.concat([MAGIC, pages, ...footer.finish(MAGIC.length + pages.length)]);
  }) as [Buffer, Buffer, Buffer];
  assert.ok(ours.equals(expected) && encoded.equals(expected), `${context}: ${rows.length} rows`);
}

/** Sorted rows of which many pages are made: their totals are `total` of the row. */
function longRows(count: number, total: (row: number) => bigint, bytes = 12): Row[] {
  return Array.from({ length: count }, (_, i) =>
    ({ region: REGIONS[i % 3]!, user: user(String(i).padStart(8, '0').padEnd(bytes, 'x')), total: total(i), count: BigInt(1 + ((i * 31) % 17)) }));
}

describe('the same file as the writer makes with statistics', () => {
  const plainOptions: EncoderOptions = { compression: 'none', encoding: 'auto', groupBy: 'region' };
  for (const options of [plainOptions, { ...plainOptions, groupBy: 'user' }, { ...plainOptions, encoding: 'plain', compression: 'zstd' }] as const) {
    test(`random rows: ${Object.values(options).join(', ')}`, () => {
      for (let seed = 0; seed < 60; seed++) {
        const rows = randomRows(seed, 1 + Math.floor(random(seed)() * 900), 'DE').map((row, i) => ({ ...row, region: REGIONS[i % 3]! }));
        const from = seed % 5 === 0 ? 0 : Math.floor(random(-seed)() * rows.length);
        assertSameFile(rows.slice(from), options, `seed ${seed}`);
      }
    });

    const totals: Record<string, (row: number) => bigint> = {
      rising: (row) => BigInt(row) - 30_000n,
      falling: (row) => 30_000n - BigInt(row),
      equal: () => -1n,
      'around 2^32': (row) => (BigInt((row * 7919) % 65_521) - 32_000n) * 2n ** 18n,
      'lows beyond 2^31': (row) => 2n ** 31n + BigInt((row * 7919) % 65_521),
      'far apart': (row) => (row % 20_011 === 5 ? -(2n ** 63n) : row % 20_021 === 9 ? 2n ** 63n - 1n : BigInt(row % 7)),
    };
    for (const [name, total] of Object.entries(totals)) {
      test(`many pages, totals ${name}: ${Object.values(options).join(', ')}`, () => {
        assertSameFile(longRows(45_000, total), options, name);
        assertSameFile(longRows(6000, total, 200), options, name);
      });
    }
  }

  test('as many rows, and as many bytes of ids, as are taken to have one page', () => {
    const next = random(9);
    const wild = (): bigint => BigInt.asIntN(64, BigInt(Math.floor(next() * 2 ** 32)) << BigInt(Math.floor(next() * 33)));
    const row = (id: string): Row => ({ region: 'DE', user: user(id), total: wild(), count: wild() });
    const short = Array.from({ length: 16_384 }, (_, i) => row(i.toString(36).padStart(4, '0')));
    const uneven = [...Array.from({ length: 12_000 }, (_, i) => row(i.toString(36).padStart(3, '0').slice(0, 3 - (i % 2)) + (i % 5 === 0 ? 'y' : ''))), ...['a', 'b', 'c'].map((id) => row(`zz${id}`.repeat(2500)))];
    const unevenRows = [...new Map(uneven.map((row) => [Buffer.from(row.user).toString('latin1'), row])).values()].sort((a, b) => Buffer.compare(a.user, b.user));
    assert.equal(short.reduce((sum, { user }) => sum + user.length, 0), 65_536);
    assert.ok(unevenRows.reduce((sum, { user }) => sum + user.length, 0) <= 65_536);
    for (const encoding of ['auto', 'plain'] as const) {
      for (const rows of [short, unevenRows]) assertSameFile(rows, { ...plainOptions, encoding }, encoding);
    }
  });

  test('ids about as long as what is kept of them, with characters at the cut that have no next one', () => {
    const ends = ['a', '\x7f', 'ß', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}', '\ufeff', '\0'];
    for (let length = 55; length < 70; length++) {
      for (const end of ends) {
        for (const start of ['b'.repeat(length), end.repeat(Math.ceil(length / Buffer.byteLength(end))), 'b'.repeat(length - 6) + end + end]) {
          const ids = ['', 'x', 'ß\u{10ffff}\uffff'].map((more) => user(start + end + more)).sort(Buffer.compare);
          assertSameFile(ids.map((id) => ({ region: 'DE', user: id, total: 1n, count: 1n })), plainOptions, `${length} ${escape(end)}`);
        }
      }
    }
  });
});

describe('true', () => {
  test('every value of a page lies between what its column index says, as another reader has it', async (context) => {
    const rows = [...randomRows(77, 3000, 'US', 2n ** 53n), ...longRows(60_000, (row) => BigInt((row * 7919) % 65_521) - 9n)]
      .map((row) => ({ ...row, region: 'US' })).sort((a, b) => Buffer.compare(a.user, b.user))
      .filter((row, i, all) => i === 0 || Buffer.compare(row.user, all[i - 1]!.user) !== 0);
    const { folder, files } = await writeDataset(context, [rows]);
    const { columnIndexes: [columns], offsetIndexes: [offsets] } = await hyparquetContents(join(folder, files[0]!.path));
    let pages = 0;
    columns!.forEach(({ min_values, max_values, null_pages, null_counts }, c) => {
      const locations = offsets![c]!.page_locations;
      assert.deepEqual([null_pages.length, null_counts?.length], [locations.length, locations.length]);
      locations.forEach(({ first_row_index }, p) => {
        pages++;
        assert.deepEqual([null_pages[p], null_counts![p]], [false, 0n]);
        const page = rows.slice(Number(first_row_index), Number(locations[p + 1]?.first_row_index ?? rows.length));
        if (c === 0) {
          const [min, max] = [min_values[p], max_values[p]].map((text) => user(String(text)));
          const [first, last] = [page[0]!.user, page.at(-1)!.user];
          assert.ok(Buffer.compare(min!, first) <= 0 && Buffer.compare(last, max!) <= 0, `page ${p}`);
          if (first.length <= 64 && first[0] !== 0xef) assert.deepEqual(min, first);
        } else {
          const values = page.map((row) => (c === 1 ? row.total : row.count)).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
          assert.deepEqual([min_values[p], max_values[p]], [values[0], values.at(-1)]);
        }
      });
    });
    assert.ok(pages > 10, `${pages} pages`);
  });

  test('DuckDB has the same statistics of row groups as of their rows, and prunes by them', async (context) => {
    const groups = [longRows(70_000, (row) => BigInt((row * 7919) % 65_521) - 30_000n), longRows(10, (row) => 10n ** 17n + BigInt(row))]
      .map((rows) => rows.map((row) => ({ ...row, region: 'US' })));
    const dataset = await writeDataset(context, groups);
    const found = await duckdb(dataset, `SELECT path_in_schema, stats_min_value, stats_max_value, stats_null_count
      FROM parquet_metadata($files) ORDER BY row_group_id, column_id`);
    const ends = <T>(values: T[]): T[] => { const sorted = values.sort((a, b) => (a < b ? -1 : 1)); return [sorted[0]!, sorted.at(-1)!]; };
    assert.deepEqual(found, groups.flatMap((rows) => [
      ['user_id', ...ends(rows.map((row) => Buffer.from(row.user).toString())), 0n],
      ['total_watch_time', ...ends(rows.map(({ total }) => total)).map(String), 0n],
      ['log_count', ...ends(rows.map(({ count }) => count)).map(String), 0n],
    ]));
    for (const total of [-30_000n, 35_520n, 10n ** 17n, 10n ** 17n + 9n, 5n]) {
      const [[count]] = await duckdb(dataset, `SELECT count(*) FROM read_parquet($files) WHERE total_watch_time = ${total}`) as [[bigint]];
      assert.equal(Number(count), groups.flat().filter((row) => row.total === total).length);
    }
  });
});
