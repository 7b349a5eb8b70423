/**
 * The promise of --memory with a state: what earlier runs counted is twenty times what a run reads. Whole processes of the built
 * program; the ids of a partition do not fit the table, so its rows come again in narrower ranges.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Summary } from '../../lib/index.ts';
import { etlStream } from '../cli/program.ts';
import { temporaryFolder } from '../temporary.ts';

/** What is promised for Node 20, little above its floor. */
const LIMIT = 128e6;

test('20 MB of logs onto 400 MB that were counted, with as little memory as that takes', async (context) => {
  const folder = temporaryFolder(context);
  const good = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await etlStream(args, folder);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  await good('generate', 'earlier', '--size', '400MB', '--seed', '1', '-q');
  const before = JSON.parse(await good('earlier', '-o', 'totals', '--json')) as Summary;
  await good('generate', 'logs', '--size', '20MB', '--files', '1', '--seed', '2', '-q');
  const alone = JSON.parse(await good('logs', '-o', 'alone', '--no-state', '--json')) as Summary;
  const copied = readFileSync(join(folder, 'earlier', 'logs-0002.csv'), 'latin1').slice(0, 6e6);
  writeFileSync(join(folder, 'logs', 'copied.csv'), copied.slice(0, copied.lastIndexOf('\n') + 1), 'latin1');
  const inputs = ['logs', join('earlier', 'logs-0001.csv'), '-o', 'totals'];
  const refused = await etlStream([...inputs, '--memory', '64MB'], folder);
  const enough = 1e6 * Number(/needs: at least (\d+)MB/.exec(refused.stderr)?.[1]); // newer versions of Node have more before they begin
  const limit = process.versions.node.startsWith('20.') ? LIMIT : enough;
  assert.ok(enough > 64e6, refused.stderr);
  const { rows, spill, memory, state } = JSON.parse(await good(...inputs, '--memory', `${limit / 1e6}MB`, '--json')) as Summary;
  assert.ok(memory.peakRss <= limit, `peak RSS ${memory.peakRss / 1e6} MB, with ${JSON.stringify(spill)}`);
  assert.ok(spill.splits > 0, 'known ids left no room');
  assert.equal(state!.knownInputs, 1);
  assert.equal(state!.logs, before.rows.counted + rows.counted);
  // Ids are drawn by the seed: all of the new file's are new, and none of the copy's.
  const again = copied.split('\n').length - 2;
  assert.deepEqual(rows, { ...alone.rows, read: alone.rows.read + again, duplicates: alone.rows.duplicates + again });
  assert.match(await good('state', 'check', 'totals'), /^nothing wrong: 2 commits, /);
});
