/** What `explain` says a run would do is what the run then does; and explaining leaves no trace. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { MemoryBudget } from '../../lib/core/memory-budget.ts';
import { validateOptions, type RunOptions } from '../../lib/core/options.ts';
import { generateLogs } from '../../lib/generate/generate.ts';
import { EtlError, type Explanation, type Summary } from '../../lib/index.ts';
import { Decisions } from '../../lib/pipeline/decisions.ts';
import { explainJob } from '../../lib/pipeline/explain.ts';
import { runJob, type JobContext } from '../../lib/pipeline/job.ts';
import { State } from '../../lib/state/state.ts';
import { fewRegionsFile } from '../geo/few-regions.ts';
import { temporaryFolder } from '../temporary.ts';
import { treeOf } from '../tree.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

interface Scene {
  readonly folder: string;
  readonly logs: string;
  readonly options: RunOptions;
}

async function sceneIn(context: TestContext, more: Partial<RunOptions> = {}, size = 6e5): Promise<Scene> {
  const folder = temporaryFolder(context);
  const logs = join(folder, 'logs');
  await generateLogs({ folder: logs, size, users: 3000, files: 3, badRows: 0.01, duplicates: 0.1 });
  return { folder, logs, options: { inputs: [logs], output: join(folder, 'out'), geoDb: fewRegionsFile, maxRejects: { share: 1 }, ...more } };
}

/** Explains without a trace. */
async function explain({ folder, options }: Pick<Scene, 'folder' | 'options'>, context: JobContext = {}): Promise<Explanation> {
  const before = treeOf(folder);
  try {
    const explanation = await explainJob(validateOptions(options), context);
    const { memory: { limit, shares } } = explanation;
    if (shares.length > 0) assert.equal(shares.reduce((sum, { bytes }) => sum + bytes, 0), limit);
    for (const { name, bytes } of shares) assert.ok(Number.isInteger(bytes) && bytes > 0, name);
    return explanation;
  } finally {
    assert.deepEqual(treeOf(folder), before);
  }
}

/** Runs, and sees what the first part is planned with. */
async function runSeen(t: TestContext, { options }: Scene, context: JobContext = {}): Promise<{ summary: Summary; budget: MemoryBudget; inputs: string[] }> {
  const seen: Decisions[] = [];
  const survey = Decisions.prototype.survey;
  const spy = t.mock.method(Decisions.prototype, 'survey', function (this: Decisions, ...args: Parameters<Decisions['survey']>) {
    seen.push(this);
    return survey.apply(this, args);
  });
  try {
    const summary = await runJob(validateOptions(options), context);
    return { summary, budget: seen[0]!.budget, inputs: seen.flatMap(({ inputs }) => inputs.map(({ name }) => name)) };
  } finally {
    spy.mock.restore();
  }
}

async function assertSame(t: TestContext, scene: Scene, context: JobContext = {}): Promise<{ explanation: Explanation; summary: Summary }> {
  const explanation = await explain(scene, context);
  const { summary, budget, inputs } = await runSeen(t, scene, context);
  assert.deepEqual(explanation.inputs.map(({ name }) => name), inputs);
  assert.deepEqual(
    {
      inputs: explanation.inputs.length, parser: explanation.parser, scale: explanation.valueScale, limit: explanation.memory.limit, jobs: explanation.jobs.got,
      known: explanation.knownInputs.length, partitions: explanation.partitions, geo: explanation.geoDatabase?.buildDate,
    },
    {
      inputs: summary.inputs, parser: summary.parser, scale: summary.valueScale, limit: summary.memory.limit, jobs: budget.jobs,
      known: summary.state?.knownInputs ?? 0, partitions: 2 ** budget.partitionBits, geo: summary.geoDatabase.buildDate,
    },
  );
  if (explanation.parts.length === 1) assert.equal(explanation.jobs.got, summary.jobs);
  return { explanation, summary };
}

const CASES: readonly (readonly [name: string, options: Partial<RunOptions>, context: JobContext, fewer?: Explanation['jobs']['fewer']])[] = [
  ['one job', { jobs: 1, memory: 300e6, state: false }, {}],
  ['three jobs', { jobs: 3, memory: 900e6 }, { threadsFrom: 0 }],
  ['small input, many jobs asked for', { jobs: 8, memory: 900e6 }, {}, 'small'],
  ['more jobs than memory is for', { jobs: 12, memory: 460e6 }, { threadsFrom: 0 }, 'memory'],
  ['what the machine has', { jobs: 1, geoDb: undefined }, { threadsFrom: 0 }],
  ['parts', { jobs: 2, memory: 900e6, checkpoint: 150_000 }, { threadsFrom: 0 }],
  ['by user, sniffed', { jobs: 1, groupBy: 'user', sniff: true, memory: 900e6 }, {}],
  ['a dialect for csv-parse', { dialect: { comment: '#' }, jobs: 2, memory: 900e6 }, { threadsFrom: 0 }, 'parser'],
  ['a scale that is said', { jobs: 1, valueScale: 3, memory: 900e6 }, {}],
];

for (const [name, options, context, fewer] of CASES) {
  test(`${name}: explained, and run`, async (t) => {
    const scene = await sceneIn(t, options);
    const { explanation } = await assertSame(t, scene, context);
    const { jobs, memory } = explanation;
    assert.equal(memory.from === 'option', options.memory !== undefined);
    assert.deepEqual([jobs.fewer, jobs.got < jobs.asked], [fewer, fewer !== undefined]);
    if (name === 'parts') assert.deepEqual(explanation.parts.map(({ inputs }) => inputs), [1, 1, 1]);
    if (name === 'by user, sniffed') assert.deepEqual(explanation.inputs.map(({ isGuessed }) => isGuessed), [true, true, true]);
  });
}

test('compressed, in another encoding, with other columns: each input is told as it is, and threads are handed blocks', async (t) => {
  const scene = await sceneIn(t, { memory: 900e6, jobs: 2 });
  const [first] = readdirSync(scene.logs).sort();
  writeFileSync(join(scene.logs, 'a.csv.gz'), gzipSync(readFileSync(join(scene.logs, first!))));
  writeFileSync(join(scene.logs, 'b.csv'), Buffer.from(`\ufefflog_id,user_id,ip_address,watch_time(min),"my, column"\nx,y,8.8.8.8,1.25,z\n`, 'utf16le'));
  writeFileSync(join(scene.logs, 'c.tsv'), `${HEADER}q,y,t,8.8.8.8,1\n`.replaceAll(',', '\t'));
  writeFileSync(join(scene.logs, 'd.csv'), '');
  writeFileSync(join(scene.logs, 'e.csv'), `${'x'.repeat(70_000)},${HEADER}`); // longer than what is looked at first
  const { explanation } = await assertSame(t, scene, { threadsFrom: 0 });
  const columns = HEADER.trimEnd().split(',');
  const told = Object.fromEntries(explanation.inputs.map((input) => [input.name.slice(scene.logs.length + 1), [input.content, input.dialect, input.columns]]));
  const comma = 'delimiter ,, quote ", header: yes';
  assert.deepEqual(told['a.csv.gz'], ['gzip', comma, columns]);
  assert.deepEqual(told['b.csv'], ['transcoded', comma, ['log_id', 'user_id', 'ip_address', 'watch_time(min)', 'my, column']]);
  assert.deepEqual(told['c.tsv'], ['text', 'delimiter tab, quote ", header: yes', columns]);
  assert.deepEqual(told['d.csv'], ['text', comma, []]);
  assert.equal((told['e.csv']![2] as string[]).length, 6);
  assert.ok(explanation.rows!.spilled === 0 && explanation.rows!.count > 1000);
});

test('with a state: what was counted is left out, ids are known, and then nothing is new', async (t) => {
  const scene = await sceneIn(t, { memory: 900e6, jobs: 2 });
  await assertSame(t, scene);
  appendFileSync(join(scene.logs, readdirSync(scene.logs).sort()[1]!), 'again,y,t,8.8.8.8,1\n');
  writeFileSync(join(scene.logs, 'new.csv'), `${HEADER}new,y,t,8.8.8.8,1\n`);
  const { explanation, summary } = await assertSame(t, scene, { threadsFrom: 0 });
  assert.deepEqual([explanation.inputs.length, explanation.knownInputs.length, explanation.output.effect], [2, 2, 'continued']);
  assert.equal(explanation.state!.commit, 1);
  const after = await explain(scene);
  const again = await runJob(validateOptions(scene.options));
  assert.deepEqual([after.inputs.length, after.knownInputs.length, after.jobs.got, after.memory.limit], [again.inputs, again.state!.knownInputs, again.jobs, again.memory.limit]);
  assert.deepEqual([after.state!.ids, after.output.effect, after.partitions], [summary.state!.logs, 'kept', undefined]);

  // A dataset that is gone is published again; one that a killed run left aside is where it was, for all that is said.
  const afresh = await explain({ ...scene, options: { ...scene.options, overwrite: true } });
  assert.deepEqual([afresh.inputs.length, afresh.state!.isAfresh, afresh.output.effect, afresh.state!.ids], [4, true, 'replaced', 0]);
  rmSync(join(scene.folder, 'out'));
  assert.equal((await explain(scene)).output.effect, 'published');
});

test('an id window: what would be forgotten is not known', async (t) => {
  const scene = await sceneIn(t, { memory: 900e6 });
  const { state } = await runJob(validateOptions(scene.options));
  writeFileSync(join(scene.logs, 'new.csv'), `${HEADER}new,y,t,8.8.8.8,1\n`);
  const windowed = { ...scene, options: { ...scene.options, dedupWindow: 1 } };
  const explanation = await explain(windowed);
  const summary = await runJob(validateOptions(windowed.options));
  assert.deepEqual([explanation.state!.forgets, explanation.state!.ids, summary.state!.forgotten], [state!.logs, 0, state!.logs]);
});

test('rows that find no room are expected in files, and are there', async (t) => {
  const scene = await sceneIn(t, { state: false, jobs: 1, memory: 900e6 }, 12e6);
  const limits = { storeBytes: 1 << 20, keepBytes: 1 << 18, partitionBits: 4 };
  const { rows } = await explain(scene, { limits });
  const summary = await runJob(validateOptions(scene.options), { limits });
  assert.ok(Math.abs(rows!.count / summary.rows.read - 1) < 0.05, `${rows!.count} rows of ${summary.rows.read}`);
  assert.ok(Math.abs(rows!.spilled / summary.spill.bytes - 1) < 0.15, `${rows!.spilled} bytes of ${summary.spill.bytes}`);
});

test('what is at the output without a state, and what is put back there', async (t) => {
  const scene = await sceneIn(t, { memory: 900e6, state: false });
  assert.equal((await explain(scene)).output.effect, 'new');
  await runJob(validateOptions(scene.options));
  assert.equal((await explain({ ...scene, options: { ...scene.options, overwrite: true } })).output.effect, 'replaced');
  renameSync(join(scene.folder, 'out'), join(scene.folder, '.out.previous'));
  await assertFailsAlike(scene, { code: 'ETL_OUTPUT_EXISTS' });
});

/** Explained first, then run; the words are the same. */
async function assertFailsAlike(scene: Scene, expected: { readonly code: string }, context: JobContext = {}): Promise<void> {
  const errorOf = async (work: Promise<unknown>): Promise<EtlError> => work.then(() => assert.fail('it did not fail'), (error: unknown) => error as EtlError);
  const explained = await errorOf(explain(scene, context));
  const run = await errorOf(runJob(validateOptions(scene.options), context));
  assert.equal(explained.code, expected.code, explained.message);
  assert.deepEqual([explained.code, explained.message, explained.hint], [run.code, run.message, run.hint]);
}

test('what a run would fail with is the error of explaining it', async (t) => {
  const scene = await sceneIn(t, { memory: 900e6 }, 1e5);
  const { folder, logs, options } = scene;
  const failing = (more: Partial<RunOptions>, code: string, context?: JobContext): Promise<void> => assertFailsAlike({ ...scene, options: { ...options, ...more } }, { code }, context);
  await failing({ inputs: [join(folder, 'none')] }, 'ETL_INPUT_NOT_FOUND');
  await failing({ columns: { id: 'nope' } }, 'ETL_HEADER');
  await failing({ rules: [{ column: 'nope', required: true }] }, 'ETL_HEADER');
  await failing({ geoDb: join(logs, readdirSync(logs)[0]!) }, 'ETL_GEO_DATABASE');
  await failing({ temp: join(folder, 'out', 'temp') }, 'ETL_USAGE');
  await failing({ state: logs }, 'ETL_USAGE');
  await failing({ state: join(folder, 'out', 'state') }, 'ETL_USAGE');
  mkdirSync(join(folder, 'foreign'));
  writeFileSync(join(folder, 'foreign', 'mine'), '');
  await failing({ output: join(folder, 'foreign'), state: false, overwrite: true }, 'ETL_OUTPUT_EXISTS');
  const small = validateOptions({ ...options, memory: 60e6 }); // this process has more, and how much it has both tell
  await assert.rejects(explainJob(small), { code: 'ETL_USAGE', message: /^--memory 60MB is less than this process needs/ });
  await assert.rejects(runJob(small), { code: 'ETL_USAGE', message: /^--memory 60MB is less than this process needs/ });

  writeFileSync(join(folder, 'empty.csv'), '');
  await failing({ inputs: [join(folder, 'empty.csv')], output: join(folder, 'other') }, 'ETL_HEADER');
  writeFileSync(join(logs, 'z.csv'), 'log_id,user_id,watch_time(min)\na,b,1\n');
  await failing({ output: join(folder, 'other') }, 'ETL_HEADER'); // of a later input than the one that is sampled
  rmSync(join(logs, 'z.csv'));

  await runJob(validateOptions(options));
  await failing({ groupBy: 'user' }, 'ETL_STATE_MISMATCH');
  await failing({ state: false }, 'ETL_OUTPUT_EXISTS');
  await failing({ state: join(folder, 'another-state') }, 'ETL_STATE_MISMATCH');
  const state = await State.open(join(folder, '.out.state'));
  await failing({}, 'ETL_STATE_LOCKED');
  await state.close();
});

test('standard input is neither read nor waited for, whatever else there is', async (t) => {
  const { folder, logs } = await sceneIn(t, {}, 1e5);
  for (const inputs of [['-'], [logs, '-'], [logs, '-', '--sniff']]) {
    const before = treeOf(folder);
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../dist/bin/etl-stream.js'), ...inputs, '-o', join(folder, 'out'), '--explain', '--json'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const [code] = await once(child, 'close') as [number]; // its input is still open
    child.stdin.destroy();
    const { inputs: told, valueScale, jobs, rows } = JSON.parse(text) as Explanation;
    assert.deepEqual([code, told.at(-1)!.name, told.at(-1)!.bytes, told.at(-1)!.columns, rows], [0, '<stdin>', undefined, undefined, undefined]);
    assert.deepEqual([valueScale, jobs.isCertain || jobs.got === 1], inputs[0] === '-' ? [undefined, jobs.got === 1] : [0, inputs.length === 2 || jobs.got === 1]);
    assert.deepEqual(treeOf(folder), before);
  }
});
