/** Runs one after the other in one process, as a library: what one leaves to the garbage collector is not the next one's. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { generateLogs } from '../../lib/generate/generate.ts';
import type { Summary } from '../../lib/index.ts';
import { temporaryFolder } from '../temporary.ts';

const LIBRARY = new URL('../../dist/lib/index.js', import.meta.url).href;
const LIMIT = 140e6;

test('four runs in a process stay within the limit of each', async (context) => {
  const folder = temporaryFolder(context);
  await generateLogs({ folder: join(folder, 'logs'), size: 6e7, users: 400_000 });
  const script = `
    const { run } = await import(${JSON.stringify(LIBRARY)});
    const options = { inputs: ['logs'], output: 'out', overwrite: true, state: false, memory: ${LIMIT} };
    const summaries = [];
    for (let i = 0; i < 4; i++) summaries.push(await run(options));
    console.log(JSON.stringify(summaries));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
  const summaries = JSON.parse(stdout) as Summary[];
  for (const { memory, spill, rows } of summaries) {
    assert.ok(memory.peakRss <= LIMIT, `peak RSS ${memory.peakRss / 1e6} MB`);
    assert.ok(spill.rows > 0);
    assert.deepEqual(rows, summaries[0]!.rows);
  }
});
