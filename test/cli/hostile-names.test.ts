/** What names of files, folders, columns and regions, and a database, can put on a terminal: nothing that it acts on. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Summary } from '../../lib/index.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { cities, isps } from '../geo/records.ts';
import { readResult } from '../oracle/duckdb.ts';
import { temporaryFolder } from '../temporary.ts';
import { start, type Result } from './program.ts';
import { residentProgram } from './resident.ts';

const resident = residentProgram();

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
/** Title, colour, C1's CSI, backspace, a line that looks like ours, text that runs backwards. */
const EVIL = 'x\x1b]0;t\x07\x1b[31m\u009b31m\b\netl-stream: done\r\u202e\u2028';
const acts = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

function assertHarmless({ stdout, stderr }: Result, what: string): void {
  for (const text of [stdout, stderr]) {
    assert.doesNotMatch(text, acts, what);
    assert.doesNotMatch(text, /^etl-stream: done/m, what);
  }
}

test('names of inputs, outputs, columns and options are escaped wherever they are printed', { skip: process.platform === 'win32' }, async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, `${EVIL}.csv`), `${HEADER}1,ann,t,8.8.8.8,10\n2,bob,t,8.8.8.8,x\n`);
  writeFileSync(join(folder, `${EVIL}.head.csv`), `${EVIL.replaceAll(/[\r\n]/g, '')},b\n1,2\n`);
  writeFileSync(join(folder, `${EVIL}.mmdb`), 'no database');
  mkdirSync(join(folder, EVIL));
  const input = `${EVIL}.csv`;
  const runs: readonly (readonly [string, readonly string[], code: number, RegExp])[] = [
    ['a summary', [input, '-o', `${EVIL}out`, '--no-state', '--max-rejects', '100%'], 0, /: x\\x1b\]0;t\\x07\\x1b\[31m\\x9b31m\\x08\\x0aetl-stream: done\\x0d\\u202e\\u2028out$/m],
    ['with a state', [input, '-o', `${EVIL}kept`, '--max-rejects', '100%'], 0, /\\x1b/], ['again', [input, '-o', `${EVIL}kept`], 0, /nothing new/],
    ['its state', ['state', `${EVIL}kept`], 0, /\\x1b/], ['its state as JSON', ['state', `${EVIL}kept`, '--json'], 0, /\\u009b/],
    ['compacted', ['state', 'compact', `${EVIL}kept`], 0, /\\x1b/], ['no state', ['state', `${EVIL}none`], 1, /\\x1b/],
    ['a file that is missing', [`${EVIL}.none`, '-o', 'a'], 1, /\\x1b/], ['a header', [`${EVIL}.head.csv`, '-o', 'b'], 1, /\[ETL_HEADER\]/],
    ['an empty folder', [EVIL, '-o', 'c'], 1, /\\x1b/], ['a column', [input, '-o', 'd', '--id-column', EVIL], 1, /\\x1b/],
    ['a database', [input, '-o', 'e', '--geo-db', `${EVIL}.mmdb`], 1, /\[ETL_GEO_DATABASE\]/], ['a field', [input, '-o', 'f', '--geo-field', EVIL], 1, /\[ETL_GEO_DATABASE\]/],
    ['an option', [`--${EVIL}`], 2, /Unknown option/], ['a choice', [input, '--group-by', EVIL], 2, /must be one of region, user/], ['a size', [input, '--memory', EVIL], 2, /\[ETL_USAGE\]/],
    ['an output that exists', [input, '-o', EVIL, '--no-state'], 1, /\[ETL_OUTPUT_EXISTS\]/], ['a number', [input, '-j', EVIL], 2, /--jobs must be a whole number/],
    ['generated logs', ['generate', `${EVIL}logs`, '--size', '1KB', '--files', '1'], 0, /\\x1b/],
  ];
  for (const [what, args, code, message] of runs) {
    const result = await resident(args, folder);
    assertHarmless(result, what);
    assert.equal(result.code, code, `${what}: ${result.stderr}`);
    assert.match(result.stdout + result.stderr, message, what);
  }
  const { stdout, ...rest } = await resident([input, '-o', `${EVIL}json`, '--json', '--no-state', '--max-rejects', '100%'], folder);
  assertHarmless({ stdout, ...rest }, 'JSON');
  assert.equal((JSON.parse(stdout) as Summary).output, `${EVIL}json`, 'JSON means the same');
});

test('what a database says of itself is escaped: its type, names of its fields, texts', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'logs.csv'), `${HEADER}1,ann,t,1.2.3.4,10\n`);
  const database = (record: unknown): Buffer => writeMmdb({
    recordSize: 24, ipVersion: 4, networks: [['1.0.0.0/8', record]], metadata: { database_type: EVIL },
  });
  writeFileSync(join(folder, 'fields.mmdb'), database({ [EVIL]: 'x', [`a.${EVIL}`]: 1 }));
  writeFileSync(join(folder, 'regions.mmdb'), database({ country_code: EVIL }));
  const fields = await resident(['logs.csv', '-o', 'a', '--geo-db', 'fields.mmdb'], folder);
  assertHarmless(fields, 'fields');
  assert.match(fields.stderr, /\[ETL_GEO_DATABASE\]\n {2}Name one by --geo-field: 'x\\x1b/);
  for (const flag of ['--json', '--group-by=user']) {
    const regions = await resident(['logs.csv', '-o', flag, '--geo-db', 'regions.mmdb', flag], folder);
    assertHarmless(regions, flag);
    assert.equal(regions.code, 0, regions.stderr);
  }
  assertHarmless(await resident(['state', './--json', '--json'], folder), 'a state');
});

test('city and ISP databases by --geo-field, end to end', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'city.mmdb'), writeMmdb({ recordSize: 28, ipVersion: 6, networks: cities }));
  writeFileSync(join(folder, 'isp.mmdb'), writeMmdb({ recordSize: 32, ipVersion: 6, networks: isps }));
  const addresses = ['2.125.160.216', '81.2.69.160', '175.16.199.1', '216.160.83.56', '2001:218::1', '67.43.156.1', '10.0.0.1', '12.81.92.9', '12.96.16.9', '2a00:1450::1'];
  writeFileSync(join(folder, 'logs.csv'), HEADER + addresses.map((ip, i) => `${i},u${i},t,${ip},${i}\n`).join(''));
  const wanted: readonly (readonly [string, string, readonly string[]])[] = [
    ['city.mmdb', 'subdivisions.0.iso_code', ['ENG', 'ENG', '22', 'ZZ', '13', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ']],
    ['city.mmdb', 'subdivisions.-1.iso_code', ['WBK', 'ENG', 'x/y', 'ZZ', '13', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ']],
    ['city.mmdb', 'a\\.b.c\\\\d', ['ZZ', 'ZZ', 'ZZ', 'dotted', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ']],
    ['isp.mmdb', 'autonomous_system_number', ['ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ', '7018', '7018', '0']],
    ['isp.mmdb', 'organization', ['ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'ZZ', 'AT&T Services', 'AT&T, "Services"', '__HIVE_DEFAULT_PARTITION__']],
  ];
  for (const [i, [database, field, regions]] of wanted.entries()) {
    const { code, stderr } = await resident(['logs.csv', '-o', `out${i}`, '--no-state', '--geo-db', database, '--geo-field', field], folder);
    assert.equal(code, 0, stderr);
    const found = await readResult(join(folder, `out${i}`));
    assert.deepEqual(found.sort((a, b) => (a.user < b.user ? -1 : 1)).map(({ region }) => region), regions, field);
  }
  const missing = await resident(['logs.csv', '-o', 'none', '--geo-db', 'isp.mmdb'], folder);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /has neither country\.iso_code nor country_code .*\[ETL_GEO_DATABASE\]\n {2}Name one by --geo-field: autonomous_system_number, /);
});

test('a bad database is said at once, though nothing comes by the pipe', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'bad.mmdb'), 'no database');
  const { child, result } = start(['--geo-db', 'bad.mmdb'], folder);
  const hangs = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const { code, signal, stderr } = await result;
  clearTimeout(hangs);
  assert.deepEqual([code, signal], [1, null]);
  assert.match(stderr, /bad\.mmdb is no MMDB file: it has no metadata\. \[ETL_GEO_DATABASE\]/);
});
