import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { partitionFolder, partName } from '../../lib/parquet/hive-path.ts';
import { assertSameLines, hyparquetContents, duckdbLines, linesOf } from './readers.ts';
import { randomRows } from './batches.ts';
import { writeDataset } from './dataset.ts';

const odd = [
  'US', '.', '..', '../..', '/', 'a/b', 'a\\b', '%', '%2F', '%%', '=', 'a=b', 'geo_region=x', ' ', 'with space', ':', 'c:d', '', '*?<>|"\'',
  'x\0y', 'a\nb\r', '\x7f', 'ß', 'Île-de-France', '日本', '😀', '~-_.', 'NULL', 'Null', 'NA', '007', '1e3', 'con', 'é', 'e\u0301',
];

describe('partition folders', () => {
  test('only safe bytes, one path component, all different, decodable', () => {
    const folders = [...odd, '__HIVE_DEFAULT_PARTITION__'].map(partitionFolder);
    for (const folder of folders) assert.match(folder, /^geo_region=([A-Za-z0-9_.~-]|%[0-9A-F]{2})+$/);
    assert.equal(new Set(folders).size, folders.length);
    odd.forEach((region, i) => {
      if (region !== '') assert.equal(decodeURIComponent(folders[i]!.slice('geo_region='.length)), region);
    });
    assert.equal(partitionFolder(''), 'geo_region=__HIVE_DEFAULT_PARTITION__');
    assert.equal(partitionFolder('__HIVE_DEFAULT_PARTITION__'), 'geo_region=%5F_HIVE_DEFAULT_PARTITION__');
    assert.equal(partitionFolder('a/ß'), 'geo_region=a%2F%C3%9F');
  });

  test('a name too long for the file system is cut between characters and stays distinct', () => {
    assert.equal(partitionFolder('x'.repeat(244)), `geo_region=${'x'.repeat(244)}`);
    for (const character of ['x', '/', 'ß', '日', '😀']) {
      for (let length = 20; length < 300; length++) {
        const [folder, other] = [partitionFolder(character.repeat(length)), partitionFolder(character.repeat(length) + 'y')];
        assert.ok(folder.length <= 255 && other.length <= 255);
        assert.notEqual(folder, other);
        assert.doesNotThrow(() => decodeURIComponent(folder));
      }
    }
    assert.match(partitionFolder('x'.repeat(300)), /^geo_region=x{211}~[0-9a-f]{32}$/);
  });

  test('a region that is called like a long one is cut has a folder of its own', () => {
    for (const long of ['x'.repeat(300), '/'.repeat(100), 'ß'.repeat(4000), '~'.repeat(245)]) {
      const names = [long];
      for (let i = 0; i < 4; i++) names.push(decodeURIComponent(partitionFolder(names.at(-1)!).slice('geo_region='.length)));
      const folders = names.map(partitionFolder);
      assert.equal(new Set(folders).size, names.length);
      for (const folder of folders) assert.match(folder, /^geo_region=([A-Za-z0-9_.~-]|%[0-9A-F]{2}){1,244}$/);
    }
    assert.equal(partitionFolder(`~${'0'.repeat(32)}`), `geo_region=%7E${'0'.repeat(32)}`);
    assert.equal(partitionFolder(`~${'0'.repeat(31)}`), `geo_region=~${'0'.repeat(31)}`);
  });

  test('DuckDB reads every region back from the path', async (context) => {
    const regions = [...odd].sort();
    const groups = regions.map((region, i) => randomRows(i, 20, region));
    const dataset = await writeDataset(context, groups, { encoding: 'auto' });
    assertSameLines(await duckdbLines(dataset), linesOf(groups.flat()));
    assert.equal(readdirSync(dataset.folder).length, regions.length, 'nothing is nested, nothing is shared');
  });

  test('the full name stands in the file', async (context) => {
    const region = 'ß/'.repeat(300);
    const { folder, files } = await writeDataset(context, [randomRows(1, 20, region)]);
    const { metadata } = await hyparquetContents(`${folder}/${files[0]!.path}`);
    assert.equal(metadata.key_value_metadata?.find(({ key }) => key === 'geo_region')?.value, region);
    assert.equal(files[0]!.region, region);
  });

  test('part numbers sort as names', () => {
    assert.deepEqual([0, 7, 99999, 100000].map(partName), ['part-00000.parquet', 'part-00007.parquet', 'part-99999.parquet', 'part-100000.parquet']);
  });
});
