import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadWriter } from '../../lib/parquet/parquet-wasm.ts';
import { createParquetStage, PART_ROW_GROUPS, ROW_GROUP_BYTES, ROW_GROUP_ROWS, warmUp } from '../../lib/parquet/stage.ts';
import { WRITE_AHEAD_BYTES } from '../../lib/parquet/write-ahead.ts';
import { temporaryFolder } from '../temporary.ts';
import { randomRows, resultBatch, user, type Row } from './batches.ts';
import { stageOptions, writeDataset } from './dataset.ts';
import { assertSameLines, duckdb, duckdbLines, hyparquetContents, hyparquetLines, linesOf } from './readers.ts';

/** Sorted ids, as a merge gives them. */
function plainRows(count: number, region = 'US', from = 0): Row[] {
  return Array.from({ length: count }, (_, i) => ({
    region, user: user(`user_${String(3 * (from + i)).padStart(8, '0')}`), total: BigInt((i * 7919) % 5003) - 7n, count: BigInt(1 + (i % 13)),
  }));
}

const tree = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1)).sort();

const hashes = (folder: string): string[] =>
  tree(folder).map((path) => `${path} ${createHash('sha256').update(readFileSync(join(folder, path))).digest('hex')}`);

describe('layout', () => {
  test('a folder a region, files and counters say what was written', async (context) => {
    const groups = [plainRows(500, 'AT'), plainRows(400, 'AT', 500), plainRows(3, 'DE'), plainRows(70, 'ZZ')];
    const { folder, files, counters } = await writeDataset(context, groups);
    assert.deepEqual(tree(folder), ['AT', 'DE', 'ZZ'].map((region) => `geo_region=${region}/part-00000.parquet`));
    assert.deepEqual(files.map(({ path, region, rows, rowGroups }) => [path, region, rows, rowGroups]), [
      ['geo_region=AT/part-00000.parquet', 'AT', 900, 2],
      ['geo_region=DE/part-00000.parquet', 'DE', 3, 1],
      ['geo_region=ZZ/part-00000.parquet', 'ZZ', 70, 1],
    ]);
    for (const { path, bytes } of files) assert.equal(statSync(join(folder, path)).size, bytes);
    assert.equal(counters.files, 3);
    assert.equal(counters.outputBytes, files.reduce((sum, { bytes }) => sum + bytes, 0));
  });

  test('a file rolls over when it has partBytes, and only then', async (context) => {
    const rows = plainRows(9000);
    const groups = Array.from({ length: 9 }, (_, i) => rows.slice(1000 * i, 1000 * (i + 1)));
    const single = await writeDataset(context, groups);
    assert.equal(single.files.length, 1);
    const partBytes = Math.floor(single.files[0]!.bytes / 4);
    const dataset = await writeDataset(context, [...groups, plainRows(5, 'ZZ')], { partBytes });
    const parts = dataset.files.filter(({ region }) => region === 'US');
    assert.ok(parts.length > 2, `${parts.length} parts`);
    assert.deepEqual(parts.map(({ path }) => path), parts.map((_, i) => `geo_region=US/part-0000${i}.parquet`));
    assert.equal(dataset.files.at(-1)!.path, 'geo_region=ZZ/part-00000.parquet', 'numbers start again in the next region');
    for (const { bytes } of parts.slice(0, -1)) assert.ok(bytes >= partBytes);
    const expected = linesOf([...rows, ...plainRows(5, 'ZZ')]);
    assertSameLines(await duckdbLines(dataset), expected);
    assertSameLines(await hyparquetLines(dataset), expected);
  });

  test('a file rolls over at PART_ROW_GROUPS, so that its metadata stays small', async (context) => {
    const groups = Array.from({ length: PART_ROW_GROUPS + 2 }, (_, i) => plainRows(1, 'US', i));
    const dataset = await writeDataset(context, groups);
    assert.deepEqual(dataset.files.map(({ rowGroups }) => rowGroups), [PART_ROW_GROUPS, 2]);
    assertSameLines(await duckdbLines(dataset), linesOf(groups.flat()));
  });

  test('a file larger than all that waits for the disk: nothing of it is taken from bytes that were used again', async (context) => {
    const rows = plainRows(8000);
    const groups = Array.from({ length: 32 }, (_, i) => rows.slice(0, 7000 + ((i * 37) % 1000)));
    const { folder, files } = await writeDataset(context, groups, { compression: 'none', encoding: 'plain' });
    assert.ok(files[0]!.bytes > 1.5 * WRITE_AHEAD_BYTES, `${files[0]!.bytes} bytes`);
    const { metadata } = await hyparquetContents(join(folder, files[0]!.path));
    assert.deepEqual(metadata.schema.map(({ name }) => name), ['arrow_schema', 'user_id', 'total_watch_time', 'log_count']);
  });

  test('no rows, no files', async (context) => {
    const { folder, files, counters } = await writeDataset(context, [[]]);
    assert.deepEqual([tree(folder), files, counters.files, counters.outputBytes], [[], [], 0, 0]);
  });
});

describe('contents', () => {
  for (const groupBy of ['region', 'user'] as const) {
    test(`by ${groupBy}: required columns, statistics and page index of every chunk, sorting, metadata`, async (context) => {
      const rows = plainRows(70_000);
      const groups = [rows.slice(0, 45_000), rows.slice(45_000)];
      const { folder, files } = await writeDataset(context, groups, { groupBy, scale: 2 });
      const { metadata, columnIndexes, offsetIndexes } = await hyparquetContents(join(folder, files[0]!.path));

      const columns = metadata.schema.slice(1).map(({ name, type, repetition_type, logical_type }) => [name, type, repetition_type, logical_type?.type]);
      assert.deepEqual(columns, [
        ['user_id', 'BYTE_ARRAY', 'REQUIRED', 'STRING'],
        ['total_watch_time', 'INT64', 'REQUIRED', 'DECIMAL'],
        ['log_count', 'INT64', 'REQUIRED', undefined],
        ...(groupBy === 'user' ? [['geo_region', 'BYTE_ARRAY', 'REQUIRED', 'STRING']] : []),
      ]);
      const { precision, scale } = metadata.schema[2]!;
      assert.deepEqual([precision, scale], [18, 2]);
      assert.equal(metadata.created_by, 'etl-stream version 1.2.3');
      assert.deepEqual(metadata.key_value_metadata, [
        { key: 'alpha', value: 'ü' },
        ...(groupBy === 'region' ? [{ key: 'geo_region', value: 'US' }] : []),
        { key: 'zebra', value: '1' },
      ]);
      assert.equal(metadata.num_rows, 70_000n);

      const file = readFileSync(join(folder, files[0]!.path));
      assert.equal(metadata.row_groups.length, groups.length);
      metadata.row_groups.forEach((group, g) => {
        assert.equal(group.num_rows, BigInt(groups[g]!.length));
        assert.equal(group.ordinal, g);
        assert.deepEqual(group.sorting_columns, [{ column_idx: 0, descending: false, nulls_first: false }]);
        assert.equal(group.file_offset, group.columns[0]!.meta_data!.data_page_offset);
        group.columns.forEach((chunk, c) => {
          const { statistics, data_page_offset, encodings, num_values } = chunk.meta_data!;
          assert.equal(num_values, group.num_rows);
          assert.ok(statistics?.min_value !== undefined && statistics.max_value !== undefined);
          assert.equal(statistics.null_count, 0n);
          const expected = groupBy === 'user' && c === 3 ? 'RLE_DICTIONARY' : c === 0 ? 'DELTA_BYTE_ARRAY' : 'DELTA_BINARY_PACKED';
          assert.ok(encodings.includes(expected), `${encodings}`);
          const index = columnIndexes[g]![c]!;
          const pages = offsetIndexes[g]![c]!.page_locations;
          assert.equal(index.min_values.length, pages.length);
          if (c === 0) assert.equal(index.boundary_order, 'ASCENDING');
          assert.equal(pages[0]!.offset, data_page_offset, 'the offset index moved with its pages');
          pages.forEach((page, p) => {
            // A page header begins with field 1 (type) as i32: 0x15, and a data page is type 0.
            assert.deepEqual([...file.subarray(Number(page.offset), Number(page.offset) + 2)], [0x15, 0]);
            if (p > 0 && c === 0) assert.equal(index.min_values[p], Buffer.from(groups[g]![Number(page.first_row_index)]!.user).toString());
          });
          if (c === 0) assert.ok(pages.length > 1, 'there is more than one page to choose from');
        });
      });
      const [min, max] = (['min_value', 'max_value'] as const).map((end) => metadata.row_groups[1]!.columns[0]!.meta_data!.statistics![end]);
      assert.deepEqual([min, max], [groups[1]![0]!, groups[1]!.at(-1)!].map((row) => Buffer.from(row.user).toString()));
    });
  }

  test('another reader prunes by the statistics and finds the same row', async (context) => {
    const rows = plainRows(30_000);
    const dataset = await writeDataset(context, [rows.slice(0, 10_000), rows.slice(10_000, 20_000), rows.slice(20_000)], { scale: 1 });
    const wanted = rows[17_123]!;
    const found = await duckdb(dataset, `SELECT total_watch_time::VARCHAR FROM read_parquet($files) WHERE user_id = '${Buffer.from(wanted.user)}'`);
    assert.equal(String(found[0]![0]).replace('.', ''), wanted.total.toString().padStart(2, '0'));
    const schema = await duckdb(dataset, `SELECT name, repetition_type FROM parquet_schema($files) WHERE num_children IS NULL`);
    assert.deepEqual(schema.map((row) => row[1]), ['REQUIRED', 'REQUIRED', 'REQUIRED']);
  });

  test('the same batches give the same bytes, whatever was written before and however the metadata is ordered', async (context) => {
    const groups = [randomRows(1, 3000, 'AT'), randomRows(2, 2000, 'DE')];
    const entries = Array.from({ length: 40 }, (_, i) => [`key${(i * 17) % 40}`, `value${i}`] as const);
    const one = await writeDataset(context, groups, { metadata: Object.fromEntries(entries) });
    await writeDataset(context, [plainRows(100)], { compression: 'gzip', groupBy: 'user', encoding: 'plain' });
    const two = await writeDataset(context, groups, { metadata: Object.fromEntries(entries.toReversed()) });
    assert.equal(hashes(one.folder).length, 2);
    assert.deepEqual(hashes(two.folder), hashes(one.folder));
  });

  test('ids that are not UTF-8 become text with U+FFFD, in a row group that does not claim to be sorted', async (context) => {
    const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
    const users = [
      bytes(0x61), bytes(0xc3), bytes(0xa9), // together é, alone nothing: validity is per id
      bytes(0xed, 0xa0, 0x80), bytes(0xef, 0xbb, 0xbf, 0x62), bytes(0xf5, 0x62), bytes(0xff),
    ];
    const rows = users.map((user, i) => ({ region: 'US', user, total: BigInt(i), count: 1n }));
    const dataset = await writeDataset(context, [rows, plainRows(3)]);
    const repaired = rows.map((row) => ({ ...row, user: user(new TextDecoder('utf-8', { ignoreBOM: true }).decode(row.user)) }));
    assertSameLines(await duckdbLines(dataset), linesOf([...repaired, ...plainRows(3)]));
    const { metadata } = await hyparquetContents(join(dataset.folder, dataset.files[0]!.path));
    assert.deepEqual(metadata.row_groups.map((group) => group.sorting_columns?.length), [undefined, 1]);
  });

  test('long ids: statistics are cut to valid text, pages stay near a megabyte', async (context) => {
    const rows = Array.from({ length: ROW_GROUP_BYTES / 8192 }, (_, i) =>
      ({ region: 'US', user: user(`${String(i).padStart(4, '0')}${'ä'.repeat(4094)}`), total: 1n, count: 1n }));
    assert.equal(rows[0]!.user.length, 8192);
    const dataset = await writeDataset(context, [rows], { encoding: 'plain', compression: 'none' });
    assertSameLines(await duckdbLines(dataset), linesOf(rows));
    const { metadata, offsetIndexes } = await hyparquetContents(join(dataset.folder, dataset.files[0]!.path));
    const { min_value, max_value } = metadata.row_groups[0]!.columns[0]!.meta_data!.statistics!;
    for (const text of [min_value, max_value]) assert.ok(!String(text).includes('\ufffd') && String(text).length < 100);
    for (const page of offsetIndexes[0]![0]!.page_locations) assert.ok(page.compressed_page_size < 3.5 * 2 ** 20);
  });
});

describe('limits', () => {
  test('DECIMAL holds 18 digits; one more is ETL_VALUE_OVERFLOW and closes the file', async (context) => {
    const limit = 10n ** 18n;
    const row = (total: bigint): Row => ({ region: 'US', user: user('u'), total, count: 1n });
    for (const total of [limit - 1n, 1n - limit]) {
      const dataset = await writeDataset(context, [[row(total)]], { scale: 3 });
      assertSameLines(await duckdbLines(dataset), linesOf([row(total)]));
    }
    for (const total of [limit, -limit, 2n ** 63n - 1n, -(2n ** 63n)]) {
      await assert.rejects(writeDataset(context, [[row(1n)], [row(total)]], { scale: 3 }), { code: 'ETL_VALUE_OVERFLOW' });
      await writeDataset(context, [[row(total)]]); // an INT64 takes it
    }
  });

  test('the encoder\'s memory is that of one row group, however many there are', async (context) => {
    await warmUp();
    const writer = await loadWriter();
    const bytes = (): number => writer.memoryBytes;
    const id = (i: number): Uint8Array => createHash('md5').update(String(i)).digest('hex').slice(0, ROW_GROUP_BYTES / ROW_GROUP_ROWS).split('').reduce(
      (id, char, at) => (id[at] = char.charCodeAt(0), id), new Uint8Array(ROW_GROUP_BYTES / ROW_GROUP_ROWS));
    const rows = Array.from({ length: ROW_GROUP_ROWS }, (_, i) => ({ region: 'US', user: id(i), total: BigInt(i), count: 1n }));
    rows.sort((a, b) => Buffer.compare(a.user, b.user));
    await writeDataset(context, [rows, rows], { compression: 'snappy' });
    const before = bytes();
    await writeDataset(context, Array.from({ length: 8 }, () => rows), { compression: 'snappy' });
    assert.equal(bytes(), before);
    assert.ok(before < 24 << 20, `${before} bytes of WASM memory`);
  });
});

describe('failures', () => {
  test('a batch with the wrong kind of region is a bug, said so', async (context) => {
    const folder = temporaryFolder(context);
    const stage = createParquetStage(stageOptions(folder, { groupBy: 'user' }));
    const batch = resultBatch(plainRows(2));
    stage.on('error', () => undefined).write(batch);
    await new Promise((resolve) => stage.once('close', resolve));
    assert.equal((stage.errored as { code?: string } | null)?.code, 'ETL_INTERNAL');
    assert.equal(batch.released, 1);
  });

  test('a missing folder, a folder that is a file, a region that comes twice', async (context) => {
    const gone = temporaryFolder(context);
    rmSync(gone, { recursive: true });
    await assert.rejects(writeDataset(context, [plainRows(2)], { folder: gone }), { code: 'ETL_OUTPUT_WRITE', message: new RegExp(gone) });
    const occupied = temporaryFolder(context);
    writeFileSync(join(occupied, 'geo_region=US'), '');
    await assert.rejects(writeDataset(context, [plainRows(2)], { folder: occupied }), { code: 'ETL_OUTPUT_WRITE' });
    await assert.rejects(writeDataset(context, [plainRows(2, 'A'), plainRows(2, 'B'), plainRows(2, 'A')]), { code: 'ETL_OUTPUT_WRITE' });
    const taken = temporaryFolder(context);
    mkdirSync(taken, { recursive: true });
    writeFileSync(join(taken, 'part-00000.parquet'), 'precious');
    await assert.rejects(writeDataset(context, [plainRows(2)], { folder: taken, groupBy: 'user' }), { code: 'ETL_OUTPUT_WRITE' });
    assert.equal(readFileSync(join(taken, 'part-00000.parquet'), 'utf8'), 'precious');
  });
});
