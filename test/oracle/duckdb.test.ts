import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { compareResults, compareTotals, maxmindRegions, oracleTotals, readResult } from './duckdb.ts';
import type { TotalRow } from './duckdb.ts';

const header = 'log_id,user_id,timestamp,ip_address,watch_time(min)';
const row = (region: string, user: string, total: number, count: number): TotalRow =>
  ({ region, user, total: BigInt(total), count: BigInt(count) });

describe('oracle', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oracle-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function file(name: string, lines: string[], end = '\n'): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, lines.map((line) => line + end).join(''));
    return path;
  }

  test('the first record of an id in input order wins, across files; ids are case-sensitive', async () => {
    const one = await file('z.csv', [header, 'a,u1,t,8.8.8.8,5', 'A,u1,t,8.8.8.8,7', 'a,u2,t,8.8.8.8,100', 'b,u1,t,10.0.0.1,1']);
    const two = await file('a.csv', ['watch_time(min),extra,ip_address,user_id,log_id', '9,x,1.1.1.1,u9,b', '4,y,2600::1,u2,c']);
    const answer = await oracleTotals({ files: [one, two] });
    assert.deepEqual(answer, {
      rows: [row('US', 'u1', 12, 2), row('US', 'u2', 4, 1), row('ZZ', 'u1', 1, 1)],
      read: 6, duplicate: 2, counted: 4, rejected: 0,
    });
  });

  for (const end of ['\n', '\r\n', '\r']) {
    test(`quoted fields, ${JSON.stringify(end)} line ends, a byte order mark`, async () => {
      const path = await file(`quoted.csv`, ['\ufeff' + header, `"a","u,""1""${end}2",t,"8.8.8.8","3"`, 'b,é,t,,4', 'b,é,t,,4'], end);
      const { rows, duplicate } = await oracleTotals({ files: [path] });
      assert.deepEqual(rows, [row('US', `u,"1"${end}2`, 3, 1), row('ZZ', 'é', 4, 1)]);
      assert.equal(duplicate, 1);
    });
  }

  test('rejected records are counted and take no part in dedup', async () => {
    const path = await file('bad.csv', [header, ',u,t,8.8.8.8,1', 'a,,t,8.8.8.8,1', 'a,u,t,8.8.8.8,x', 'a,u,t,8.8.8.8,', 'a,u,t,8.8.8.8',
      'a,u,t,8.8.8.8,1,9', 'a,"u"x,t,8.8.8.8,1', 'a,u,t,8.8.8.8,1.5', 'a,u,t,nonsense,2', 'a,u,t,8.8.8.8,3']);
    const answer = await oracleTotals({ files: [path] });
    assert.deepEqual(answer, { rows: [row('ZZ', 'u', 2, 1)], read: 10, duplicate: 1, counted: 1, rejected: 8 });
  });

  test('decimals are summed exactly as scaled integers', async () => {
    const path = await file('decimal.csv', [header, 'a,u,t,x,0.1', 'b,u,t,x,0.2', 'c,u,t,x,-1', 'd,v,t,x,-0.05', 'e,v,t,x,0.001', 'f,w,t,x,90000000000000000.01']);
    const { rows, rejected } = await oracleTotals({ files: [path], scale: 2 });
    assert.deepEqual(rows, [row('ZZ', 'u', -70, 3), row('ZZ', 'v', -5, 1), { region: 'ZZ', user: 'w', total: 9000000000000000001n, count: 1n }]);
    assert.equal(rejected, 1);
  });

  test('grouped by user: the grand total and the top region, ties by name', async () => {
    const path = await file('user.csv', [header, 'a,u,t,x1,2', 'b,u,t,y1,1', 'c,u,t,y2,1', 'd,v,t,y,3', 'e,v,t,x,1']);
    const { rows } = await oracleTotals({ files: [path], groupBy: 'user', geo: (ip) => ip[0]!.toUpperCase() });
    assert.deepEqual(rows, [row('X', 'u', 4, 3), row('Y', 'v', 4, 2)]);
  });

  test('other column names, a header alone, an empty file', async () => {
    const path = await file('names.csv', ['id,who,from,n', 'a,u,8.8.8.8,3']);
    const columns = { id: 'id', user: 'who', ip: 'from', value: 'n' };
    const files = [path, await file('header.csv', ['id,who,from,n']), await file('empty.csv', [])];
    assert.deepEqual((await oracleTotals({ files, columns })).rows, [row('US', 'u', 3, 1)]);
    await assert.rejects(oracleTotals({ files: [path] }), /has no column log_id/);
  });

  test('maxmind answers mapped addresses as IPv4 and knows what is no address', async () => {
    const geo = await maxmindRegions();
    const us = ['8.8.8.8', '::ffff:8.8.8.8', '::FFFF:808:808', '0:0:0:0:0:ffff:0808:0808', '2600::1'];
    const unknown = ['', 'x', '10.0.0.1', '::ffff:10.0.0.1', '1.2.3', '08.8.8.8', '8.8.8.8 ', '::1', 'fe80::1%eth0'];
    assert.deepEqual([...new Set(us.map(geo))], ['US']);
    assert.deepEqual([...new Set(unknown.map(geo))], ['ZZ']);
  });

  test('published Parquet is read back as rows and compared', async () => {
    const copy = async (name: string, query: string): Promise<string> => {
      const out = join(folder, name);
      const instance = await DuckDBInstance.create(':memory:');
      const connection = await instance.connect();
      await connection.run(`COPY (${query}) TO '${out}' (FORMAT parquet, PARTITION_BY (geo_region))`);
      connection.closeSync();
      instance.closeSync();
      return out;
    };
    const rows = (second: number): string => `SELECT * FROM (VALUES ('NA', 'u', 1::BIGINT, 1::BIGINT), ('a/b=c', 'v', ${second}::BIGINT, 2::BIGINT))
      t(geo_region, user_id, total_watch_time, log_count)`;
    const one = await copy('one', rows(5));
    const two = await copy('two', rows(6));
    const decimal = await copy('decimal', "SELECT 'NA' geo_region, 'u' user_id, -1.50::DECIMAL(18,2) total_watch_time, 1::BIGINT log_count");
    const expected = [row('NA', 'u', 1, 1), row('a/b=c', 'v', 5, 2)];
    assert.deepEqual(await readResult(one), expected);
    assert.deepEqual(await readResult(decimal), [row('NA', 'u', -150, 1)]);
    assert.deepEqual(await compareResults(one, one), []);
    assert.deepEqual(await compareResults(two, one), [
      'not expected: a/b=c "v": total 6, count 2',
      'missing: a/b=c "v": total 5, count 2',
    ]);
    await mkdir(join(folder, 'nothing'));
    assert.deepEqual(await readResult(join(folder, 'nothing')), []);
  });

  test('compareTotals names what differs', () => {
    const expected = [row('A', 'u', 1, 1), row('A', 'v', 2, 1), row('B', 'u', 3, 1)];
    assert.deepEqual(compareTotals(expected.toReversed(), expected), []);
    assert.deepEqual(compareTotals([row('A', 'u', 1, 1), row('A', 'u', 1, 1), row('A', 'v', 2, 2), row('C', 'u', 3, 1)], expected), [
      'twice: A "u": total 1, count 1',
      'expected A "v": total 2, count 1, found A "v": total 2, count 2',
      'not expected: C "u": total 3, count 1',
      'missing: B "u": total 3, count 1',
    ]);
    assert.equal(compareTotals([], expected, 1).length, 2);
  });
});
