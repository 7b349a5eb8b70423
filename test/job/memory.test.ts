/** A job with next to no memory: the same bytes, every spilling path taken, clear errors, nothing left behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { divide, type MemoryBudget } from '../../lib/core/memory-budget.ts';
import type { RunOptions } from '../../lib/core/options.ts';
import { OWNER_MARK } from '../../lib/core/owner.ts';
import { DATASET_FILE } from '../../lib/dataset/description.ts';
import { generateLogs } from '../../lib/generate/generate.ts';
import { EtlError, type Summary } from '../../lib/index.ts';
import { runJob } from '../../lib/pipeline/job.ts';
import { fewRegionsFile } from '../geo/few-regions.ts';
import { PROGRAM } from '../cli/program.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';
import { validateOptions } from './one-shot.ts';

const PAGE = 16384;
const MiB = 1 << 20;

async function logs(context: TestContext, size = 4e6): Promise<string> {
  const folder = temporaryFolder(context);
  await generateLogs({ folder: join(folder, 'logs'), size, users: 30_000, files: 2, duplicates: 0.2 });
  return folder;
}

function job(folder: string, name: string, limits: Partial<MemoryBudget>, more: Partial<RunOptions> = {}): Promise<Summary> {
  return runJob(validateOptions({ inputs: [join(folder, 'logs')], output: join(folder, name), geoDb: fewRegionsFile, ...more }), { limits });
}

/** Next to nothing for everyone. */
const TINY: Partial<MemoryBudget> = {
  partitionBits: 2, storeBytes: 20 * PAGE, keepBytes: 2 * PAGE, chunkBytes: 2 * PAGE, deferredBytes: 4 * PAGE, idTableBytes: PAGE,
  aggregateBytes: 10 * PAGE, fanIn: 2, runBufferBytes: 8304, columnAreas: 1, distinctBytes: 64 * PAGE, writesAtOnce: 1, blockBytes: 50_000, blocks: 2,
};

test('the same bytes at every budget', async (context) => {
  const folder = await logs(context);
  for (const groupBy of ['region', 'user'] as const) {
    const whole = await job(folder, `whole-${groupBy}`, divide(1 << 30), { groupBy });
    assert.deepEqual([whole.spill.bytes, whole.runs.spilled, whole.runs.merges], [0, 0, 1]);
    const expected = contents(join(folder, `whole-${groupBy}`));
    for (const [name, limits] of Object.entries({ small: divide(19 * MiB), medium: divide(100 * MiB), tiny: { ...divide(32 * MiB), ...TINY } })) {
      const { rows, users, regions, spill, runs } = await job(folder, `${name}-${groupBy}`, limits, { groupBy });
      assert.deepEqual({ rows, users, regions }, { rows: whole.rows, users: whole.users, regions: whole.regions }, name);
      assert.deepEqual(contents(join(folder, `${name}-${groupBy}`)), expected, name);
      if (name !== 'tiny') continue;
      assert.ok(spill.rows > 0 && spill.splits > 2 && spill.files > 5, JSON.stringify(spill));
      assert.ok(runs.spilled > 4 && runs.merges > 2, JSON.stringify(runs));
    }
  }
});

test('--max-spill ends the job before the disk is full, at whatever it spills', async (context) => {
  const folder = await logs(context, 2e6);
  const kept = await job(folder, 'kept', { ...divide(32 * MiB), ...TINY });
  const before = contents(join(folder, 'kept'));
  const met = new Set<string>();
  for (let maxSpill = 1; maxSpill < kept.spill.bytes; maxSpill = Math.ceil(maxSpill * 1.7)) {
    const options = { temp: join(folder, 'temp'), maxSpill, overwrite: true };
    const error = await job(folder, 'kept', { ...divide(32 * MiB), ...TINY }, options).then(() => undefined, (reason: unknown) => reason);
    if (error === undefined) continue; // files that are done with give their bytes back
    assert.ok(error instanceof EtlError && error.code === 'ETL_MAX_SPILL', String(error));
    assert.match(error.hint ?? '', /--memory/);
    met.add(error.code);
    assert.deepEqual(contents(join(folder, 'kept')), before);
    assert.deepEqual(readdirSync(folder).sort(), ['kept', 'logs'], 'the temporary folder is gone, its parent too: this run made it');
  }
  assert.equal(met.size, 1);
});

test('an abort while users are counted ends the counting', async (context) => {
  const folder = await logs(context, 2e6);
  const controller = new AbortController();
  const limits = { ...divide(32 * MiB), ...TINY, distinctBytes: 2 * PAGE };
  const options = validateOptions({ inputs: [join(folder, 'logs')], output: join(folder, 'out'), temp: join(folder, 'temp') });
  const over = assert.rejects(runJob(options, { limits, signal: controller.signal }), { code: 'ETL_ABORTED', message: /enough/ });
  // The description is written just before; counting reads hundreds of times.
  const described = (): boolean => readdirSync(folder).map((name) => join(folder, name, DATASET_FILE))
    .some((path) => existsSync(path) && readFileSync(path, 'utf8').endsWith('}\n'));
  for (let turns = 0; turns < 50; turns += described() ? 1 : 0) await new Promise((resolve) => setImmediate(resolve));
  controller.abort(new Error('enough'));
  await over;
  assert.deepEqual(readdirSync(folder), ['logs']);
});

test('an IP database with very many regions costs memory that is not linear: an error where there is none for it', async (context) => {
  const folder = await logs(context, 1e5);
  const networks = Array.from({ length: 20_000 }, (_, i) =>
    [`${1 + (i >> 8)}.${i % 256}.0.0/16`, { country: { iso_code: `region-${i}` } }] as const);
  writeFileSync(join(folder, 'many.mmdb'), writeMmdb({ recordSize: 28, ipVersion: 4, networks }));
  const geoDb = join(folder, 'many.mmdb');
  const error = await job(folder, 'out', divide(19 * MiB), { geoDb }).then(() => undefined, (reason: unknown) => reason);
  assert.ok(error instanceof EtlError && error.code === 'ETL_MEMORY', String(error));
  assert.match(error.message, /20001 regions/);
  assert.match(error.hint!, /--memory: \d+ MB more/);
  const { regions, rows } = await job(folder, 'out', divide(128 * MiB), { geoDb });
  assert.ok(regions > 100 && rows.counted > 0);
});

test('what a killed run left is removed by the next', async (context) => {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'temp'));
  const args = [PROGRAM, '-', '--no-state', '-o', join(folder, 'out'), '--temp', join(folder, 'temp')];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  child.stdin.on('error', () => undefined); // it is killed with the pipe full
  child.stdin.write('log_id,user_id,timestamp,ip_address,watch_time(min)\n' + '1,u,t,8.8.8.8,1\n'.repeat(1e5));
  const places = [folder, join(folder, 'temp')];
  const left = (mark = ''): string[] => places.flatMap((place) =>
    readdirSync(place).filter((name) => name.startsWith('.') && (statSync(join(place, name, mark), { throwIfNoEntry: false })?.size ?? 0) > 0)).sort();
  // Until it has made and marked both: a mark that is still empty when it is killed says nothing, and its folder stays for a day.
  while (left(OWNER_MARK).length < 2) await new Promise((resolve) => setImmediate(resolve));
  child.kill('SIGKILL');
  await once(child, 'close');
  const [staging, temp] = left();
  assert.match(staging!, new RegExp(`^\\.etl-stream-temp-${child.pid}-|^\\.out\\.staging-${child.pid}-`));
  assert.ok(temp);
  writeFileSync(join(folder, 'a.csv'), 'log_id,user_id,timestamp,ip_address,watch_time(min)\n1,u,t,8.8.8.8,1\n');
  const summary = await runJob(validateOptions({ inputs: [join(folder, 'a.csv')], output: join(folder, 'out'), temp: join(folder, 'temp') }));
  assert.deepEqual(summary.leftBehind.map((path) => basename(path)).sort(), [staging, temp]);
  assert.deepEqual(left(), []);
  assert.deepEqual(readdirSync(folder).sort(), ['a.csv', 'out', 'temp']);
});
