/** The whole job against DuckDB, row for row: generated logs of several seeds and shapes, and files made to be awkward. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunOptions, Summary } from '../../lib/index.ts';
import { generateLogs, type GenerateOptions } from '../../lib/generate/generate.ts';
import { compareTotals, oracleTotals, readResult, type OracleOptions } from '../oracle/duckdb.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { run } from './one-shot.ts';

async function agrees(options: RunOptions & { output: string }, oracle: OracleOptions): Promise<Summary> {
  const summary = await run(options);
  const expected = await oracleTotals({ ...oracle, scale: summary.valueScale });
  assert.deepEqual(compareTotals(await readResult(options.output), expected.rows), []);
  const { read, duplicate, counted, rejected } = expected;
  assert.deepEqual(summary.rows, { read, duplicates: duplicate, counted, rejected });
  assert.equal(summary.groups, expected.rows.length);
  assert.equal(summary.users, new Set(expected.rows.map(({ user }) => user)).size);
  assert.equal(summary.regions, new Set(expected.rows.map(({ region }) => region)).size);
  return summary;
}

const shapes: Omit<GenerateOptions, 'folder'>[] = [
  { seed: 1, files: 4, size: 4e6, users: 20_000 },
  { seed: 2, files: 2, size: 3e6, users: 300, duplicates: 0.6 },
  { seed: 3, files: 3, size: 2e6, users: 1e6, duplicates: 0, ipv6: 0.5 },
  { seed: 4, files: 2, size: 2e6, users: 5_000, badRows: 0.05, quoted: 0.3 },
  { seed: 5, files: 1, size: 2e6, users: 5_000, lineEnd: 'crlf', quoted: 1 },
  { seed: 6, files: 2, size: 1e6, users: 5_000, lineEnd: 'cr' },
];

for (const shape of shapes) {
  for (const groupBy of ['region', 'user'] as const) {
    test(`generated logs by ${groupBy}: ${JSON.stringify(shape)}`, async (t) => {
      const folder = temporaryFolder(t);
      const { files } = await generateLogs({ ...shape, folder: join(folder, 'logs') });
      await agrees(
        { inputs: [join(folder, 'logs')], output: join(folder, 'out'), groupBy },
        { files: files.map(({ path }) => path), groupBy },
      );
    });
  }
}

test('ids that differ only in letter case are different, the first of equal ones wins across files, columns in any order', async (t) => {
  const folder = temporaryFolder(t);
  const next = random(7);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const ids = Array.from({ length: 400 }, (_, id) => `id-${id.toString(36)}`).flatMap((id) => [id, id.toUpperCase(), `${id} `, `"${id},""x"""`, `"${id}\n"`]);
  const users = ['u', 'U', 'u ', '"u,1"', '"a ""b"""', 'ünï', '"line\r\nbreak"', '-', '0', 'x'.repeat(300)];
  const addresses = ['8.8.8.8', '1.1.1.1', '2001:4860:4860::8888', '2A00:1450:4001::1', '::ffff:8.8.4.4', '10.0.0.1', '', 'nonsense', '256.1.1.1', '"81.2.69.160"'];
  const orders = [['log_id', 'user_id', 'timestamp', 'ip_address', 'watch_time(min)'], ['watch_time(min)', 'extra', 'ip_address', 'user_id', 'log_id'], ['user_id', 'watch_time(min)', 'log_id', 'ip_address']];
  const files = orders.map((columns, file) => {
    const rows = Array.from({ length: 3000 }, () => {
      const row: Record<string, string> = { log_id: pick(ids), user_id: pick(users), ip_address: pick(addresses), 'watch_time(min)': String(Math.floor(next() * 500)), timestamp: 't', extra: '"e,"' };
      return columns.map((column) => row[column]).join(',');
    });
    const path = join(folder, `${file}.csv`);
    writeFileSync(path, (file === 1 ? '\ufeff' : '') + [columns.join(','), ...rows].join(pick(['\n', '\r\n'])));
    return path;
  });
  const summary = await agrees({ inputs: [folder], output: join(folder, 'out') }, { files });
  assert.ok(summary.rows.duplicates > 5000 && summary.unknownRegion > 0);
});

test('decimals of up to six places are summed exactly', async (t) => {
  const folder = temporaryFolder(t);
  const next = random(8);
  const file = join(folder, 'a.csv');
  const rows = Array.from({ length: 5000 }, (_, id) => `${id},u${id % 7},8.8.${id % 3}.8,${(next() * 1000 - 300).toFixed(id % 5)}`);
  writeFileSync(file, ['log_id,user_id,ip_address,watch_time(min)', ...rows, ''].join('\n'));
  const summary = await agrees({ inputs: [file], output: join(folder, 'out') }, { files: [file] });
  assert.equal(summary.valueScale, 4);
  const wider = await agrees({ inputs: [file], output: join(folder, 'wider'), valueScale: 6 }, { files: [file] });
  assert.equal(wider.valueScale, 6);
  const narrower = await run({ inputs: [file], output: join(folder, 'narrower'), valueScale: 0 });
  assert.equal(narrower.rejectedBy.value_precision, narrower.rows.rejected);
  assert.ok(narrower.rows.rejected > 2000);
});

test('columns by other names', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'a.csv');
  writeFileSync(file, 'event,who,where,amount\n1,a,8.8.8.8,5\n1,a,8.8.8.8,5\n2,a,1.1.1.1,-7\n');
  const columns = { id: 'event', user: 'who', ip: 'where', value: 'amount' };
  await agrees({ inputs: [file], output: join(folder, 'out'), columns }, { files: [file], columns });
});
