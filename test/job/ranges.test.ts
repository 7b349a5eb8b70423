/** Whole jobs whose totals are added up by ranges, or by a table after all: the same bytes, in one thread and several. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { divide, type MemoryBudget } from '../../lib/core/memory-budget.ts';
import type { RunOptions } from '../../lib/core/options.ts';
import { generateLogs } from '../../lib/generate/generate.ts';
import type { Summary } from '../../lib/index.ts';
import { runJob, type JobContext } from '../../lib/pipeline/job.ts';
import { fewRegionsFile } from '../geo/few-regions.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';
import { validateOptions } from './one-shot.ts';

const MiB = 1 << 20;

interface Context extends Omit<JobContext, 'threadsFrom' | 'limits'> {
  readonly limits?: Partial<MemoryBudget>;
}

function job(folder: string, output: string, jobs: number, options: Partial<RunOptions> = {}, context: Context = {}): Promise<Summary> {
  const job = validateOptions({ inputs: [join(folder, 'logs')], output: join(folder, output), jobs, overwrite: true, geoDb: fewRegionsFile, ...options });
  return runJob(job, { ...context, threadsFrom: 0 });
}

/** More rows than are added up in one table. */
async function logs(context: TestContext): Promise<string> {
  const folder = temporaryFolder(context);
  await generateLogs({ folder: join(folder, 'logs'), size: 19e6, users: 60_000, files: 3, duplicates: 0.1, badRows: 0.001 });
  return folder;
}

/** Shares of memory with so much for the aggregate of each thread; all rows stay in memory. */
function limits(jobs: number, aggregateBytes: number): Partial<MemoryBudget> {
  return { ...divide(512 * MiB, jobs), aggregateBytes };
}

test('by ranges, and by tables when the aggregate may have less: the same bytes', async (context) => {
  const folder = await logs(context);
  const one = await job(folder, 'one', 1, {}, { limits: limits(1, 1 * MiB) });
  assert.ok(one.rows.read - one.rows.rejected > 200_000 && one.spill.rows === 0 && one.runs.spilled > 1, JSON.stringify(one));
  for (const groupBy of ['region', 'user'] as const) {
    const tables = await job(folder, 'tables', 2, { groupBy }, { limits: limits(2, 15 * MiB / 8) });
    assert.ok(tables.runs.made > 2, 'no room for open pages: as tables');
    const expected = contents(join(folder, 'tables'));
    const cases = [[1, 128, 'ranges'], [2, 64, 'ranges'], [3, 64, 'ranges'], [1, 2.5, 'table'], [2, 2.5, 'who knows']] as const;
    for (const [jobs, megabytes, way] of groupBy === 'region' ? cases : cases.slice(0, 2)) {
      const aggregateBytes = megabytes * MiB;
      const { runs: { made, spilled, merges }, spill, unknownRegion, rows } = await job(folder, 'out', jobs, { groupBy }, { limits: limits(jobs, aggregateBytes) });
      const what = JSON.stringify({ jobs, aggregateBytes, made, spilled, merges });
      if (way === 'ranges') assert.deepEqual([made, spilled, merges], [1, 0, 1], what);
      if (way === 'table') assert.ok(spilled > 0, `ranges were begun, and pages ran out: ${what}`);
      assert.equal(spill.rows, 0);
      assert.deepEqual([unknownRegion, rows], [tables.unknownRegion, tables.rows], what);
      assert.deepEqual(contents(join(folder, 'out')), expected, what);
    }
  }
});

test('a user with too many rows for a range is added up in a table, besides the ranges of all others', async (context) => {
  const folder = await logs(context);
  const rows = Array.from({ length: 55_000 }, (_, i) => `hot${i},user_000100,t,8.8.8.8,${i % 9}\n`);
  writeFileSync(join(folder, 'logs', 'hot.csv'), `log_id,user_id,timestamp,ip_address,watch_time(min)\n${rows.join('')}`);
  await job(folder, 'tables', 2, {}, { limits: limits(2, MiB) });
  for (const jobs of [1, 2]) {
    const { runs } = await job(folder, 'out', jobs, {}, { limits: limits(jobs, 32 * MiB) });
    assert.ok(runs.made > 1 && runs.made <= jobs + 1 && runs.spilled === 0, JSON.stringify(runs));
    assert.deepEqual(contents(join(folder, 'out')), contents(join(folder, 'tables')));
  }
});

test('a thread that ends while ranges are made fails the run; so does an abort, and a total that does not fit', async (context) => {
  const folder = await logs(context);
  for (const how of ['end', 'abort', 'overflow'] as const) {
    const threads: Worker[] = [];
    const started = (thread: Worker): void => void threads.push(thread);
    process.on('worker', started);
    const controller = new AbortController();
    const events = new EventEmitter();
    events.on('phase', (phase) => {
      if (phase !== 'publish') return;
      if (how === 'end') void threads[1]!.terminate();
      if (how === 'abort') controller.abort(new Error('enough'));
    });
    if (how === 'overflow') {
      const rows = Array.from({ length: 3 }, (_, i) => `big${i},user_000100,t,8.8.8.8,9223372036854775807\n`);
      writeFileSync(join(folder, 'logs', 'big.csv'), `log_id,user_id,timestamp,ip_address,watch_time(min)\n${rows.join('')}`);
    }
    const code = { end: 'ETL_WORKER', abort: 'ETL_ABORTED', overflow: 'ETL_VALUE_OVERFLOW' }[how];
    await assert.rejects(job(folder, 'out', 2, { valueScale: 0 }, { events, signal: controller.signal }), { code }, how);
    process.off('worker', started);
    assert.deepEqual(readdirSync(folder), ['logs'], how);
  }
});
