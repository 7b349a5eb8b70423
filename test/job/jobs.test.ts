/** Jobs in several threads: the same bytes as in one, whatever the number and however the input is cut; and their end. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createReadStream, createWriteStream, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { divide, type MemoryBudget } from '../../lib/core/memory-budget.ts';
import type { RunOptions } from '../../lib/core/options.ts';
import { generateLogs } from '../../lib/generate/generate.ts';
import { EtlError, type Summary } from '../../lib/index.ts';
import { runJob, type JobContext } from '../../lib/pipeline/job.ts';
import { BlockRing } from '../../lib/source/block-ring.ts';
import { ReadTurns } from '../../lib/source/read-turns.ts';
import { fewRegionsFile } from '../geo/few-regions.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';
import { validateOptions } from './one-shot.ts';

const PAGE = 16384;
const MiB = 1 << 20;

/** Generated logs with duplicates across files and bad rows, and a file whose users have quoted line ends. */
async function logs(context: TestContext, size = 2e6): Promise<string> {
  const folder = temporaryFolder(context);
  await generateLogs({ folder: join(folder, 'logs'), size, users: 20_000, files: 3, duplicates: 0.2, badRows: 0.01 });
  const quoted = Array.from({ length: 3000 }, (_, i) => `q${i % 2500},"user\n""${i % 100}""\r\n,x",t,8.8.${i % 256}.8,${i % 7}\r\n`);
  writeFileSync(join(folder, 'logs', 'quoted.csv'), `"log_id","user_id",timestamp,ip_address,watch_time(min)\r\n${quoted.join('')}`);
  return folder;
}

/** Who reads files: threads in turns, as they do when no input is a pipe, or the main thread into so many blocks. */
const READERS: readonly Partial<MemoryBudget>[] = [{}, { blocks: 6 }];

/** Counts runs by who read; `expect` says how many there have to have been since. */
function countReaders(context: TestContext): { expect(threads: number, main: number): void } {
  const calls = [context.mock.method(ReadTurns, 'create').mock, context.mock.method(BlockRing, 'create').mock];
  return {
    expect(threads, main) {
      assert.deepEqual(calls.map((mock) => mock.callCount()), [threads, main]);
      for (const mock of calls) mock.resetCalls();
    },
  };
}

interface Threads extends Omit<JobContext, 'threadsFrom' | 'limits'> {
  readonly limits?: Partial<MemoryBudget>;
}

function job(folder: string, output: string, jobs: number, options: Partial<RunOptions> = {}, context: Threads = {}): Promise<Summary> {
  const job = validateOptions({ inputs: [join(folder, 'logs')], output: join(folder, output), jobs, overwrite: true, geoDb: fewRegionsFile, ...options });
  return runJob(job, { ...context, threadsFrom: 0 });
}

/** What does not depend on time or on how the work was shared. */
function answer({ rows, rejectedBy, emptyLines, unknownRegion, users, regions, groups, files, outputBytes, bytes }: Summary): object {
  return { rows, rejectedBy, emptyLines, unknownRegion, users, regions, groups, files, outputBytes, bytes };
}

test('the same bytes whatever the users of the sample begin with, which is what stored rows leave out', async (context) => {
  const folder = await logs(context, 5e5);
  const values = [1, 262_143, 262_144, 5_000_000_000, -1];
  const users = ['user_00', 'guest_00', 'user', 'user_', 'a name of some length and ', '日本', ''];
  const rows = Array.from({ length: 3000 }, (_, i) => `other${i},${users[i % 7]}${i % 180},t,8.8.8.8,${values[i % 5]}\n`);
  const header = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
  writeFileSync(join(folder, 'logs', 'others.csv'), header + rows.join(''));
  const small = { limits: { storeBytes: 64 * PAGE, keepBytes: 0, aggregateBytes: 8 * PAGE, idTableBytes: PAGE } };
  let expected: object | undefined;
  // The first input is one row that comes again; without rows it says nothing, and the next one does.
  for (const row of ['', ...rows.slice(0, users.length)]) {
    writeFileSync(join(folder, 'logs', '0.csv'), header + row);
    for (const [jobs, limits] of [[1, {}], [2, small]] as const) {
      const { spill } = await job(folder, 'out', jobs, {}, limits);
      assert.ok(limits !== small || spill.rows > 0);
      const parts = Object.fromEntries(Object.entries(contents(join(folder, 'out'))).filter(([path]) => path.endsWith('.parquet')));
      assert.deepEqual(parts, expected ??= parts, `${row}, ${jobs} jobs`);
    }
  }
});

test('the same bytes with 1, 2, 3 and 8 jobs, however the input is cut into blocks, whoever reads it', async (context) => {
  const folder = await logs(context);
  const readers = countReaders(context);
  for (const groupBy of ['region', 'user'] as const) {
    const one = await job(folder, 'one', 1, { groupBy });
    const expected = contents(join(folder, 'one'));
    assert.equal(one.jobs, 1);
    assert.ok(one.rows.rejected > 100 && one.rows.duplicates > 1000);
    assert.match(readFileSync(join(folder, 'one', '_rejects.jsonl'), 'utf8'), /bad_value/);
    const cases = { region: [[2, 1 << 20, 0], [2, 997, 1], [3, 4099, 0], [8, 20_011, 1]], user: [[3, 65_536, 1], [2, 9973, 0]] } as const;
    for (const [jobs, blockBytes, reader] of cases[groupBy]) {
      const blocks = READERS[reader]!;
      const many = await job(folder, 'many', jobs, { groupBy }, { limits: { blockBytes, ...blocks } });
      const what = `${jobs} jobs, blocks of ${blockBytes}, ${JSON.stringify(blocks)}`;
      assert.equal(many.jobs, jobs);
      assert.deepEqual(answer(many), answer(one), what);
      assert.deepEqual(contents(join(folder, 'many')), expected, what);
    }
    readers.expect(cases[groupBy].length / 2, cases[groupBy].length / 2);
  }
  assert.deepEqual(readdirSync(folder).sort(), ['logs', 'many', 'one']);
});

test('the same bytes when all that can be spilled and split in a thread is', async (context) => {
  const folder = await logs(context, 3e6);
  const one = await job(folder, 'one', 1);
  const tiny: Partial<MemoryBudget> = {
    partitionBits: 2, storeBytes: 20 * PAGE, keepBytes: 2 * PAGE, chunkBytes: 2 * PAGE, deferredBytes: 4 * PAGE, idTableBytes: PAGE,
    aggregateBytes: 10 * PAGE, fanIn: 2, runBufferBytes: 8304, distinctBytes: 64 * PAGE, writesAtOnce: 1, blockBytes: 50_000,
  };
  for (const jobs of [2, 3]) {
    const limits = { ...divide(128 * MiB, jobs), ...tiny };
    const many = await job(folder, 'many', jobs, {}, { limits });
    const { spill, runs } = many;
    assert.ok(spill.rows === many.rows.read - many.rows.rejected && spill.splits > 2 && runs.spilled > 4 && runs.merges > 2, JSON.stringify({ spill, runs }));
    assert.deepEqual(answer(many), answer(one));
    assert.deepEqual(contents(join(folder, 'many')), contents(join(folder, 'one')));
  }
  const kept = contents(join(folder, 'many'));
  const limits = { ...divide(128 * MiB, 2), ...tiny };
  await assert.rejects(job(folder, 'many', 2, { maxSpill: 400_000 }, { limits }), { code: 'ETL_MAX_SPILL' }, 'one quota for all threads');
  assert.deepEqual(contents(join(folder, 'many')), kept);
  assert.deepEqual(readdirSync(folder).sort(), ['logs', 'many', 'one']);
});

test('a pipe and files together, parsed by all threads', { skip: process.platform === 'win32' }, async (context) => {
  const folder = await logs(context);
  const pipe = join(folder, 'pipe');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  const [first, ...others] = readdirSync(join(folder, 'logs')).sort().map((name) => join(folder, 'logs', name));
  const one = await job(folder, 'one', 1);
  const writing = pipeline(createReadStream(first!), createWriteStream(pipe));
  const readers = countReaders(context);
  const many = await job(folder, 'many', 3, { inputs: [...others, pipe] }, { limits: { blockBytes: 30_000 } });
  await writing;
  readers.expect(0, 1);
  assert.deepEqual(answer(many), answer(one));
  assert.equal(many.jobs, 3);
});

test('inputs that are small are left to one thread, a pipe that ends early, too', { skip: process.platform === 'win32' }, async (context) => {
  const folder = temporaryFolder(context);
  const text = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n1,u,t,8.8.8.8,5\n';
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs', 'a.csv'), text);
  assert.equal((await runJob(validateOptions({ inputs: [join(folder, 'logs')], output: join(folder, 'file'), jobs: 8 }))).jobs, 1);
  const pipe = join(folder, 'pipe');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  const writing = pipeline([text], createWriteStream(pipe));
  const piped = await runJob(validateOptions({ inputs: [pipe], output: join(folder, 'piped'), jobs: 8, valueScale: 0 }));
  await writing;
  assert.equal(piped.jobs, 1);
  assert.deepEqual(contents(join(folder, 'piped')), contents(join(folder, 'file')));
});

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)';

test('an error in any thread is the one that is told, and leaves the earlier output and no other trace', async (context) => {
  const folder = await logs(context, 1e6);
  await job(folder, 'out', 1);
  const before = contents(join(folder, 'out'));
  const many = Array.from({ length: 20_000 }, (_, i) => `z${i},u,t,8.8.8.8,1\n`).join('');
  const failing: [string, string, string][] = [
    ['missing column', `a,b\n${many}`, 'ETL_HEADER'],
    ['sum beyond 64 bits', `${HEADER}\n1,u,t,8.8.8.8,9223372036854775807\n${many}`, 'ETL_VALUE_OVERFLOW'],
    ['unclosed quote', `${HEADER}\n${many}x,"${'y\n'.repeat(MiB)}`, 'ETL_INPUT_READ'],
  ];
  for (const [what, content, code] of failing) {
    writeFileSync(join(folder, 'logs', 'logs-0002b.csv'), content);
    for (const [jobs, blocks] of [[2, READERS[0]], [2, READERS[1]], [3, READERS[0]]] as const) {
      await assert.rejects(job(folder, 'out', jobs, { valueScale: 0, maxRecord: MiB }, { limits: { blockBytes: 10_007, ...blocks } }), { code }, what);
      assert.deepEqual(contents(join(folder, 'out')), before, what);
      assert.deepEqual(readdirSync(folder).sort(), ['logs', 'out'], what);
    }
  }
});

test('an abort in any lane ends all threads and leaves no file and no descriptor', async (context) => {
  const folder = await logs(context);
  await job(folder, 'out', 2);
  for (const when of ['plan', 'scatter', 'reduce', 'publish'] as const) {
    const readers = when === 'scatter' ? READERS : READERS.slice(0, 1);
    for (const [turns, blocks] of [0, 1, 10, 60].flatMap((turns) => readers.map((blocks) => [turns, blocks] as const))) {
      const controller = new AbortController();
      const events = new EventEmitter();
      events.on('phase', async (phase) => {
        if (phase !== when) return;
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        controller.abort(new Error('enough'));
      });
      const limits = { ...divide(128 * MiB, 2), aggregateBytes: 1 << 18, storeBytes: turns % 2 ? 64 * PAGE : 4 * MiB, blockBytes: 1 << 15, ...blocks };
      const error = await job(folder, 'out', 2, {}, { signal: controller.signal, events, limits }).then(() => undefined, (reason: unknown) => reason);
      if (error !== undefined || turns === 0) assert.equal((error as EtlError).code, 'ETL_ABORTED', `${when}, ${turns} turns: ${String(error)}`);
      assert.deepEqual(readdirSync(folder).sort(), ['logs', 'out']);
    }
  }
  // Of ours: Node keeps files open whose modules a thread was loading when it was ended.
  const open = process.platform === 'linux' ? readdirSync('/proc/self/fd').map((fd) => targetOf(`/proc/self/fd/${fd}`)) : [];
  assert.deepEqual(open.filter((path) => path.startsWith(folder)), []);
});

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // the one that listed them
  }
}

test('a thread that ends in any lane fails the run, which does not wait for it', async (context) => {
  const folder = await logs(context);
  const readers = countReaders(context);
  for (const [when, blocks] of [['plan', {}], ['scatter', READERS[0]], ['scatter', READERS[1]], ['reduce', {}], ['publish', {}]] as const) {
    const threads: Worker[] = [];
    const started = (thread: Worker): void => void threads.push(thread);
    process.on('worker', started);
    const events = new EventEmitter();
    events.on('phase', (phase) => {
      if (phase !== when) return;
      if (when === 'plan') process.once('worker', (thread: Worker) => void thread.terminate());
      else void threads[1]!.terminate();
    });
    const error = await job(folder, 'out', 3, {}, { events, limits: { blockBytes: 1 << 15, ...blocks } }).then(() => undefined, (reason: unknown) => reason);
    process.off('worker', started);
    assert.ok(error instanceof EtlError, `${when}: ${String(error)}`);
    assert.equal(error.code, 'ETL_WORKER', when);
    assert.match(error.message, /^Thread \d of 3 ended before its work was done/);
    assert.deepEqual(readdirSync(folder), ['logs'], when);
    assert.equal(threads.length, 3);
    await Promise.all(threads.map((thread) => (thread.threadId === -1 ? undefined : once(thread, 'exit'))));
  }
  readers.expect(4, 1);
});

test('an IP database that leaves less memory for threads: fewer of them, or none, and the same bytes', async (context) => {
  const folder = await logs(context, 1e6);
  const networks = Array.from({ length: 200_000 }, (_, i) =>
    [`${1 + (i >> 14)}.${(i >> 6) % 256}.${(i << 2) % 256}.0/22`, { country: { iso_code: `R${i % 300}` } }] as const);
  writeFileSync(join(folder, 'large.mmdb'), writeMmdb({ recordSize: 32, ipVersion: 4, networks }));
  const geoDb = join(folder, 'large.mmdb');
  const one = await job(folder, 'one', 1, { geoDb });
  const seen = new Set<number>();
  for (const more of [150e6, 225e6, 300e6]) {
    const many = await job(folder, 'many', 4, { geoDb, memory: process.memoryUsage.rss() + more });
    seen.add(many.jobs);
    assert.deepEqual(answer(many), answer(one));
    assert.deepEqual(contents(join(folder, 'many')), contents(join(folder, 'one')));
  }
  assert.ok(seen.size > 1, `jobs: ${[...seen].join(', ')}`);
});
