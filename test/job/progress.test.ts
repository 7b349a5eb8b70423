/** What a run tells while it is under way: phases in order, figures that only grow, over all of its parts, and where it was when. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { copyFileSync, createWriteStream, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { newCounters } from '../../lib/core/counters.ts';
import { validateOptions, type RunOptions } from '../../lib/core/options.ts';
import { generateLogs } from '../../lib/generate/generate.ts';
import type { JobEvents, Phase, Progress, Summary } from '../../lib/index.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { runJob, type JobContext } from '../../lib/pipeline/job.ts';
import { phases, ProgressTeller } from '../../lib/progress.ts';
import { BlockSource } from '../../lib/source/blocks.ts';
import { listInputs } from '../../lib/source/inputs.ts';
import { temporaryFolder } from '../temporary.ts';

interface Heard {
  readonly phases: readonly Phase[];
  readonly progress: readonly Progress[];
  readonly summary: Summary;
}

async function listen(options: RunOptions, context: JobContext = {}): Promise<Heard> {
  const events = new EventEmitter<JobEvents>();
  const [heard, progress]: [Phase[], Progress[]] = [[], []];
  events.on('phase', (phase) => heard.push(phase));
  events.on('progress', (now) => progress.push(now));
  const summary = await runJob(validateOptions({ maxRejects: { share: 1 }, ...options }), { ...context, events });
  return { phases: heard, progress, summary };
}

/** Whatever is told comes in order: nothing begins again. */
function assertGrows(progress: readonly Progress[]): void {
  for (const [index, { seconds, counters }] of progress.slice(1).entries()) {
    const before = progress[index]!;
    assert.ok(seconds >= before.seconds);
    for (const name of ['inputBytes', 'bytes', 'read', 'counted', 'duplicate', 'rejected', 'groups'] as const) {
      assert.ok(counters[name] >= before.counters[name], `${name} fell from ${before.counters[name]} to ${counters[name]}`);
    }
  }
}

/** Those that are told, once the inputs are listed. */
function totals(progress: readonly Progress[]): (number | undefined)[] {
  const from = progress.findIndex(({ totalBytes }) => totalBytes !== undefined);
  return from < 0 ? [] : [...new Set(progress.slice(from).map(({ totalBytes }) => totalBytes))];
}

async function logs(t: TestContext, files: number): Promise<{ folder: string; paths: string[]; bytes: number }> {
  const folder = temporaryFolder(t);
  await generateLogs({ folder: join(folder, 'logs'), size: 1e6, users: 2000, files, duplicates: 0.2, badRows: 0.01 });
  const paths = readdirSync(join(folder, 'logs')).sort().map((name) => join(folder, 'logs', name));
  return { folder, paths, bytes: paths.reduce((sum, path) => sum + statSync(path).size, 0) };
}

for (const jobs of [1, 3]) {
  test(`phases in order, and figures up to those of the summary, ${jobs} jobs`, async (t) => {
    const { folder, paths, bytes } = await logs(t, 2);
    const heard = await listen({ inputs: paths, output: join(folder, 'out'), state: false, jobs }, { threadsFrom: 0 });
    assert.deepEqual(heard.phases, ['plan', 'scatter', 'reduce', 'publish']);
    assertGrows(heard.progress);
    assert.deepEqual(totals(heard.progress), [bytes]);
    const { counters, memory } = heard.progress.findLast(({ phase }) => phase === 'reduce')!;
    const { rows, memory: { limit, peakRss } } = heard.summary;
    assert.deepEqual([counters.inputBytes, counters.read, counters.rejected], [bytes, rows.read, rows.rejected]);
    assert.equal(memory.limit, limit);
    assert.ok(memory.resident > 20e6 && memory.resident <= peakRss);
  });
}

test('a run in parts goes on with what it told before, and what earlier runs read is not in the total', async (t) => {
  const { folder, paths } = await logs(t, 4);
  const options = { output: join(folder, 'out'), state: join(folder, 'state'), checkpoint: 1 };
  await listen({ ...options, inputs: paths.slice(0, 1) });
  const { phases: told, progress, summary } = await listen({ ...options, inputs: paths });
  const bytes = paths.slice(1).reduce((sum, path) => sum + statSync(path).size, 0);
  assert.deepEqual(told, [...phases, ...phases, ...phases]);
  assertGrows(progress);
  assert.deepEqual(totals(progress), [bytes]);
  assert.equal(progress.at(-1)!.counters.inputBytes, bytes);
  assert.equal(progress.at(-1)!.counters.read, summary.rows.read);
  const seconds = Object.values(summary.phases).reduce((sum, part) => sum + part);
  assert.ok(seconds > 0 && seconds <= summary.seconds, `${seconds} of ${summary.seconds} s`);
  assert.ok(progress.at(-1)!.seconds <= summary.seconds + 1);
});

test('with a pipe nobody knows the total before; compressed bytes count as they come', { skip: process.platform === 'win32' }, async (t) => {
  const { folder, paths } = await logs(t, 2);
  const fifo = join(folder, 'pipe.csv');
  execFileSync('mkfifo', [fifo]);
  const bytes = gzipSync(readFileSync(paths[1]!));
  createWriteStream(fifo).end(bytes);
  const { progress, summary } = await listen({ inputs: [paths[0]!, fifo], output: join(folder, 'out'), state: false, jobs: 1 });
  assert.deepEqual(totals(progress), []);
  assert.equal(summary.inputBytes, statSync(paths[0]!).size + bytes.length);
});

test('what is sampled counts once, whatever stands in a file', async (t) => {
  const fixtures = join(import.meta.dirname, '../../fixtures/compressed');
  const folder = temporaryFolder(t);
  const names = readdirSync(fixtures).filter((name) => /\.(gz|zst|bz2|csv)$/.test(name) && !/dictionary|wide/.test(name));
  for (const name of names) copyFileSync(join(fixtures, name), join(folder, name));
  writeFileSync(join(folder, 'empty.csv'), '');
  for (const name of readdirSync(folder)) {
    for (const blockBytes of [64, 1 << 20]) {
      const counters = newCounters();
      const source = new BlockSource({ inputs: await listInputs([join(folder, name)]), memory: new LinearMemory(), counters, blockBytes });
      for await (const { bytes } of source.samples()) assert.ok(bytes.length > 0 || name === 'empty.csv');
      assert.equal(counters.inputBytes, 0);
      for await (const block of source.stream()) block.release();
      await source.close();
      assert.equal(counters.inputBytes, statSync(join(folder, name)).size, name);
    }
  }
});

/** A teller of whose time the test decides. */
function tellerOf(t: TestContext, events?: EventEmitter<JobEvents>) {
  let now = 0;
  t.mock.timers.enable({ apis: ['setInterval'] });
  t.mock.method(performance, 'now', () => now);
  const teller = new ProgressTeller(1e9, events);
  t.after(() => teller.close());
  const wait = (milliseconds: number): void => {
    for (const end = now + milliseconds; now < end;) {
      now += 100;
      t.mock.timers.tick(100);
    }
  };
  return { teller, wait };
}

test('a run of hours is remembered in a few hundred samples, evenly, from its beginning to its end', async (t) => {
  const { teller, wait } = tellerOf(t);
  const counters = newCounters();
  teller.begin(counters);
  wait(5000);
  assert.equal(teller.samples.length, 51, 'one at the beginning, then ten a second');
  await teller.during('scatter', async () => {
    for (let hour = 0; hour < 3; hour++) {
      counters.read += 1000;
      wait(3600e3);
      assert.ok(teller.samples.length < 600);
    }
  });
  const { samples } = teller;
  assert.ok(samples.length > 290, `${samples.length} samples`);
  assert.deepEqual([samples[0]!.seconds, samples[0]!.phase, samples.at(-1)!.seconds, samples.at(-1)!.read], [0, 'plan', 10805, 3000]);
  const steps = samples.slice(1, -1).map(({ seconds }, index) => seconds - samples[index]!.seconds);
  assert.ok(Math.max(...steps) <= 2.01 * Math.min(...steps.slice(0, -1)), `from ${Math.min(...steps)} to ${Math.max(...steps)} s apart`);
});

test('each phase ends with a sample, of all parts so far', async (t) => {
  const { teller, wait } = tellerOf(t);
  for (const part of [1, 2]) {
    const counters = newCounters();
    teller.begin(counters);
    for (const phase of phases) {
      await teller.during(phase, async () => {
        counters.read += 10;
        wait(phase === 'reduce' ? 200 : 0);
      });
    }
    assert.deepEqual(teller.samples.at(-1)!.read, 40 * part);
  }
  assert.deepEqual(teller.samples.map(({ phase, read }) => [phase, read]), [
    ['plan', 0], ['plan', 10], ['scatter', 20], ['reduce', 30], ['reduce', 30], ['reduce', 30], ['publish', 40],
    ['plan', 50], ['scatter', 60], ['reduce', 70], ['reduce', 70], ['reduce', 70], ['publish', 80],
  ]);
  assert.deepEqual(teller.seconds, { plan: 0, scatter: 0, reduce: 0.4, publish: 0 });
});

test('a listener that throws fails the run in its next step, once, and sampling goes on', async (t) => {
  const events = new EventEmitter<JobEvents>();
  let told = 0;
  events.on('progress', () => {
    if (++told === 2) throw new Error('no room');
  });
  const { teller, wait } = tellerOf(t, events);
  await assert.rejects(teller.during('scatter', async () => wait(1000)), { message: 'no room' });
  assert.equal(told, 2);
  assert.equal(teller.samples.length, 12);
});

test('nobody fails for a system that does not say how much memory is resident', (t) => {
  t.mock.method(process.memoryUsage, 'rss', () => {
    throw new Error('no /proc');
  });
  const { teller, wait } = tellerOf(t);
  wait(200);
  assert.deepEqual(teller.samples.map(({ resident }) => resident), [0, 0, 0]);
});
