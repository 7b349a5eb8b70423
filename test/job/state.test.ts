/** Runs that continue from a state: what they add up to is what one run over all logs gives, and nothing counts twice. */
import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { validateOptions, type GroupBy, type RunOptions } from '../../lib/core/options.ts';
import { STATE_MARK } from '../../lib/dataset/state-mark.ts';
import { linkedVersion } from '../../lib/dataset/versions.ts';
import { isIdFileName } from '../../lib/dedup/id-files.ts';
import { generateLogs } from '../../lib/generate/generate.ts';
import { run } from '../../lib/index.ts';
import { runJob, type JobContext } from '../../lib/pipeline/job.ts';
import { fewRegionsFile } from '../geo/few-regions.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { compareTotals, readResult } from '../oracle/duckdb.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

interface Scene {
  readonly folder: string;
  readonly logs: string;
  readonly output: string;
  readonly options: RunOptions & { readonly state: string };
}

function sceneIn(context: TestContext, more: Omit<Partial<RunOptions>, 'state'> = {}): Scene {
  const folder = temporaryFolder(context);
  const [logs, output] = [join(folder, 'logs'), join(folder, 'out')];
  mkdirSync(logs);
  return { folder, logs, output, options: { inputs: [logs], output, state: join(folder, 'state'), maxRejects: { share: 1 }, geoDb: fewRegionsFile, ...more } };
}

/** What the state's folder has besides ids. */
function filesOf({ options }: Scene): string[] {
  return readdirSync(options.state as string).filter((name) => !isIdFileName(name)).sort();
}

/** What is published, but for the mark; and that it is what one run over the same logs without a state publishes. */
async function assertSameAsOneRun({ folder, output, options }: Scene): Promise<void> {
  const whole = join(folder, 'whole');
  await run({ ...options, checkpoint: undefined, dedupWindow: undefined, output: whole, overwrite: true, state: false });
  const { [STATE_MARK]: mark, ...published } = contents(output);
  assert.ok(mark);
  assert.deepEqual(published, contents(whole));
  rmSync(whole, { recursive: true });
}

for (const [groupBy, jobs, context] of [['region', 1, {}], ['user', 1, {}], ['region', 3, { threadsFrom: 0 }], ['user', 2, { threadsFrom: 0 }]] as [GroupBy, number, JobContext][]) {
  test(`file by file is as all at once, grouped by ${groupBy}, ${jobs} jobs`, async (t) => {
    const scene = sceneIn(t, { groupBy, jobs });
    const all = join(scene.folder, 'all');
    await generateLogs({ folder: all, size: 1.6e6, users: 4000, files: 4, badRows: 0.01, duplicates: 0.2 });
    let [counted, rejected] = [0, 0];
    for (const [i, file] of readdirSync(all).sort().entries()) {
      copyFileSync(join(all, file), join(scene.logs, file));
      const { rows, inputs, state, users, groups } = await runJob(validateOptions(scene.options), context);
      counted += rows.counted;
      rejected += rows.rejected;
      assert.deepEqual([inputs, state!.knownInputs, state!.commit, state!.logs], [1, i, i + 1, counted]);
      assert.ok(users > 0 && groups > 0 && rows.rejected > 0);
      const again = await runJob(validateOptions(scene.options), context);
      assert.deepEqual([again.inputs, again.rows.read, again.state], [0, 0, { ...state!, isUnchanged: true, knownInputs: i + 1 }]);
    }
    await assertSameAsOneRun(scene);
    assert.equal(readFileSync(join(scene.output, '_rejects.jsonl'), 'utf8').trimEnd().split('\n').length, rejected);
    assert.deepEqual(readdirSync(scene.folder).sort(), ['.out.versions', 'all', 'logs', 'out', 'state']);
    assert.equal(readdirSync(join(scene.folder, '.out.versions')).length, 2, 'this version and the one before');
  });
}

test('a file that has grown or changed is read again, and what is known of it counts once', async (t) => {
  const scene = sceneIn(t);
  const file = join(scene.logs, 'a.csv');
  writeFileSync(file, `${HEADER}1,u,t,8.8.8.8,5\n2,u,t,8.8.8.8,7\n`);
  assert.equal((await run(scene.options)).rows.counted, 2);
  appendFileSync(file, '3,u,t,8.8.8.8,1\n1,u,t,8.8.8.8,100\n');
  assert.deepEqual((await run(scene.options)).rows, { read: 4, duplicates: 3, rejected: 0, counted: 1 });
  const { atime, mtime } = statSync(file);
  writeFileSync(file, readFileSync(file, 'utf8').replace('7\n', '8\n').replace('2,u', '4,u'));
  utimesSync(file, atime, mtime); // as if it had not been touched
  assert.deepEqual((await run(scene.options)).rows, { read: 4, duplicates: 3, rejected: 0, counted: 1 });
  symlinkSync(file, join(scene.logs, 'b.csv'));
  copyFileSync(file, join(scene.logs, 'c.csv'));
  const last = await run(scene.options);
  assert.deepEqual([last.inputs, last.rows.duplicates, last.rows.counted, last.state!.logs], [1, 4, 0, 4], 'a copy is another input, a link is not');
});

test('--overwrite begins afresh', async (t) => {
  const scene = sceneIn(t);
  writeFileSync(join(scene.logs, 'a.csv'), `${HEADER}1,u,t,8.8.8.8,5\n,u,t,8.8.8.8,5\n`);
  await run(scene.options);
  rmSync(join(scene.logs, 'a.csv'));
  writeFileSync(join(scene.logs, 'b.csv'), `${HEADER}1,u,t,8.8.8.8,6\n2,v,t,8.8.8.8,5\n`);
  const { rows, state } = await run({ ...scene.options, overwrite: true, valueScale: 2 });
  assert.deepEqual([rows.counted, rows.duplicates, state!.logs, state!.commit], [2, 0, 2, 2]);
  await assertSameAsOneRun({ ...scene, options: { ...scene.options, valueScale: 2 } });
  assert.deepEqual(filesOf(scene), ['level', 'totals-2.run']);
  assert.equal(readdirSync(scene.options.state).filter(isIdFileName).length, 1);
  const { inputs } = await run(scene.options);
  assert.equal(inputs, 0, 'and later runs continue from there, whatever the scale');
});

test('what does not go together is refused, and nothing changes', async (t) => {
  const scene = sceneIn(t);
  writeFileSync(join(scene.logs, 'a.csv'), `${HEADER}1,u,t,8.8.8.8,5\n`);
  await run(scene.options);
  const before = contents(scene.output);
  writeFileSync(join(scene.logs, 'b.csv'), `${HEADER}2,u,t,8.8.8.8,5\n`);
  const other = join(scene.folder, 'other');
  const plain = join(scene.folder, 'plain');
  await run({ inputs: [scene.logs], output: plain, state: false });
  const cases: [Partial<RunOptions>, code: string, message: RegExp][] = [
    [{ groupBy: 'user' }, 'ETL_STATE_MISMATCH', /--group-by "region"/],
    [{ columns: { user: 'ip_address', ip: 'user_id' } }, 'ETL_STATE_MISMATCH', /--user-column "user_id"/],
    [{ valueScale: 3 }, 'ETL_STATE_MISMATCH', /--value-scale 0/],
    [{ state: other }, 'ETL_STATE_MISMATCH', /not made with the state/],
    [{ output: plain }, 'ETL_OUTPUT_EXISTS', /not made with the state/],
    [{ output: plain, state: other }, 'ETL_OUTPUT_EXISTS', /exists already/],
    [{ state: join(scene.output, 'state') }, 'ETL_USAGE', /lies in the output/],
    [{ state: scene.folder }, 'ETL_USAGE', /lies in the state/],
    [{ state: scene.logs }, 'ETL_USAGE', /other things in it/],
  ];
  for (const [more, code, message] of cases) {
    await assert.rejects(run({ ...scene.options, ...more }), { code, message }, JSON.stringify(more));
    assert.deepEqual(contents(scene.output), before, JSON.stringify(more));
  }
  const { rows } = await run(scene.options);
  assert.deepEqual(rows, { read: 1, duplicates: 0, rejected: 0, counted: 1 });
});

test('a dataset that is gone is published again; one that the state does not know of is a damage', async (t) => {
  const scene = sceneIn(t);
  writeFileSync(join(scene.logs, 'a.csv'), `${HEADER}1,u,t,8.8.8.8,5\n,u,t,8.8.8.8,5\n`);
  await run(scene.options);
  const first = contents(scene.output);
  for (const remove of [scene.output, join(scene.folder, '.out.versions')]) {
    rmSync(remove, { recursive: true });
    const { inputs, rows } = await run(scene.options);
    assert.deepEqual([inputs, rows.read], [0, 0]);
    assert.deepEqual(contents(scene.output), first, remove);
  }
  writeFileSync(join(scene.logs, 'b.csv'), `${HEADER}2,u,t,8.8.8.8,5\n`);
  await run(scene.options);
  const second = contents(scene.output);
  // As if the state had been put back from yesterday's backup.
  const version = (await linkedVersion(scene.output))!;
  writeFileSync(join(version, STATE_MARK), readFileSync(join(version, STATE_MARK), 'utf8').replace('"commit":2', '"commit":3'));
  await assert.rejects(run(scene.options), { code: 'ETL_STATE_DAMAGED', hint: /--overwrite/ });
  writeFileSync(join(version, STATE_MARK), readFileSync(join(version, STATE_MARK), 'utf8').replace('"commit":3', '"commit":2'));
  assert.equal((await run(scene.options)).inputs, 0);
  assert.deepEqual(contents(scene.output), second);
});

test('a run that fails leaves state and dataset as they were', async (t) => {
  const scene = sceneIn(t);
  writeFileSync(join(scene.logs, 'a.csv'), `${HEADER}1,u,t,8.8.8.8,5\n`);
  await run(scene.options);
  const before = contents(scene.output);
  writeFileSync(join(scene.logs, 'b.csv'), 'log_id,user_id\n1,2\n');
  await assert.rejects(run(scene.options), { code: 'ETL_HEADER' });
  const controller = new AbortController();
  writeFileSync(join(scene.logs, 'b.csv'), `${HEADER}2,u,t,8.8.8.8,9\n`);
  const events = { emit: (event: string, phase: unknown) => void (event === 'phase' && phase === 'publish' && controller.abort(new Error('enough'))) };
  await assert.rejects(runJob(validateOptions(scene.options), { signal: controller.signal, events }), { code: 'ETL_ABORTED' });
  assert.deepEqual(contents(scene.output), before);
  assert.deepEqual(readdirSync(join(scene.folder, '.out.versions')).length, 1);
  assert.deepEqual((await run(scene.options)).rows, { read: 1, duplicates: 0, rejected: 0, counted: 1 });
  await assertSameAsOneRun(scene);
});

test('an empty first run makes no state that matters', async (t) => {
  const scene = sceneIn(t);
  writeFileSync(join(scene.logs, 'a.csv'), '');
  await assert.rejects(run({ ...scene.options, state: join(scene.folder, 'deep', 'state') }), { code: 'ETL_HEADER' });
  assert.deepEqual(readdirSync(scene.folder), ['logs']);
  writeFileSync(join(scene.logs, 'a.csv'), HEADER);
  assert.equal((await run(scene.options)).rows.read, 0);
  writeFileSync(join(scene.logs, 'b.csv'), `${HEADER}2,u,t,8.8.8.8,9\n`);
  assert.equal((await run(scene.options)).rows.counted, 1);
  await assertSameAsOneRun(scene);
});

for (const groupBy of ['region', 'user'] as const) {
  test(`a run in parts is as one in one, stopped between them or not, grouped by ${groupBy}`, async (t) => {
    const scene = sceneIn(t, { groupBy, checkpoint: 1 });
    await generateLogs({ folder: scene.logs, size: 1e6, users: 3000, files: 4, badRows: 0.01, duplicates: 0.2 });
    const pause = new AbortController();
    let scatters = 0;
    const events = { emit: (event: string, phase: unknown) => void (event === 'phase' && phase === 'scatter' && ++scatters === 2 && pause.abort(new Error('enough'))) };
    await assert.rejects(run(scene.options, { pause: pause.signal, events }), {
      code: 'ETL_ABORTED', message: /2 inputs of it are counted, 2 inputs are not/, hint: /again/,
    });
    assert.equal(existsSync(scene.output), false);
    // What a checkpoint has is published when nothing is left to be read.
    const [first, second] = readdirSync(scene.logs).sort().map((name) => join(scene.logs, name));
    const partly = await run({ ...scene.options, inputs: [first!, second!], output: join(scene.folder, 'partly') });
    assert.deepEqual([partly.inputs, partly.state!.commit], [0, 2]);
    assert.ok(existsSync(join(scene.folder, 'partly', '_SUCCESS')));
    const again = new EventEmitter();
    const phases: string[] = [];
    again.on('phase', (phase: string) => phases.push(phase));
    const { inputs, state, rows } = await run(scene.options, { events: again });
    assert.deepEqual([inputs, state!.commit, state!.knownInputs], [2, 4, 2]);
    assert.ok(rows.duplicates > 0 && rows.rejected > 0 && rows.read < state!.logs * 2);
    assert.deepEqual(phases.filter((phase) => phase === 'scatter').length, 2);
    await assertSameAsOneRun(scene);
    assert.deepEqual(filesOf(scene).filter((name) => !/rejects/.test(name)), ['level', 'totals-4.run']);
    rmSync(scene.output);
    rmSync(scene.options.state, { recursive: true });
    const whole = await run(scene.options);
    assert.deepEqual([whole.inputs, whole.state!.commit, whole.rows.read], [4, 4, whole.rows.counted + whole.rows.duplicates + whole.rows.rejected]);
    await assertSameAsOneRun(scene);
  });
}

for (const groupBy of ['region', 'user'] as const) {
  test(`regions that an IP database knows besides, or no more, grouped by ${groupBy}`, async (t) => {
    const scene = sceneIn(t, { groupBy });
    const database = (name: string, ...codes: string[]): string => {
      const path = join(scene.folder, `${name}.mmdb`);
      writeFileSync(path, writeMmdb({ recordSize: 24, ipVersion: 4, networks: codes.map((code, i) => [`${10 + i}.0.0.0/8`, { country_code: code }]) }));
      return path;
    };
    writeFileSync(join(scene.logs, 'a.csv'), `${HEADER}1,u,t,10.0.0.1,5\n2,u,t,11.0.0.1,7\n3,v,t,11.0.0.1,1\n`);
    await run({ ...scene.options, geoDb: database('first', 'BB', 'DD') });
    writeFileSync(join(scene.logs, 'b.csv'), `${HEADER}4,u,t,10.0.0.1,20\n5,u,t,11.0.0.1,1\n6,w,t,12.0.0.1,1\n`);
    await assert.rejects(run({ ...scene.options, geoDb: database('fewer', 'BB', 'CC') }), { code: 'ETL_STATE_MISMATCH', message: /the region DD/ });
    await run({ ...scene.options, geoDb: database('more', 'DD', 'BB', 'AA', 'CC') });
    // Logs stay in the region that they were counted in.
    const expected: [string, string, bigint, bigint][] = groupBy === 'region'
      ? [['AA', 'w', 1n, 1n], ['BB', 'u', 6n, 2n], ['DD', 'u', 27n, 2n], ['DD', 'v', 1n, 1n]]
      : [['DD', 'u', 33n, 4n], ['DD', 'v', 1n, 1n], ['AA', 'w', 1n, 1n]];
    const rows = expected.map(([region, user, total, count]) => ({ region, user, total, count }));
    assert.deepEqual(compareTotals(await readResult(scene.output), rows), []);
  });
}

test('a run in parts begins afresh once', async (t) => {
  const scene = sceneIn(t, { checkpoint: 1 });
  for (const name of ['a', 'b', 'c']) writeFileSync(join(scene.logs, `${name}.csv`), `${HEADER}${name},u,t,8.8.8.8,5\n1,u,t,8.8.8.8,5\n`);
  await run({ ...scene.options, checkpoint: undefined, state: false });
  const { rows, state } = await run({ ...scene.options, overwrite: true });
  assert.deepEqual([rows.counted, rows.duplicates, state!.commit], [4, 2, 3]);
  const again = await run({ ...scene.options, overwrite: true });
  assert.deepEqual([again.rows.counted, again.rows.duplicates, again.state!.commit], [4, 2, 6]);
  await assertSameAsOneRun(scene);
});

test('a run has a state beside its output, unless it is told that it has none', async (t) => {
  const { folder, logs, output } = sceneIn(t);
  writeFileSync(join(logs, 'a.csv'), `${HEADER}1,u,t,8.8.8.8,5\n`);
  const first = await run({ inputs: [logs], output });
  assert.deepEqual(first.state, { folder: join(folder, '.out.state'), commit: 1, isUnchanged: false, isRepublished: false, knownInputs: 0, logs: 1, forgotten: 0 });
  assert.equal((await run({ inputs: [logs], output })).inputs, 0);
  const { state, inputs } = await run({ inputs: [logs], output: join(folder, 'plain'), state: false });
  assert.deepEqual([state, inputs], [undefined, 1]);
  assert.deepEqual(readdirSync(folder), ['.out.state', '.out.versions', 'logs', 'out', 'plain']);
});
