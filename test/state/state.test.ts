/** The state: what is committed is there, what is not is not; locks; writes that fail. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLevel, type Operation } from '../../lib/state/database.ts';
import { inputKey } from '../../lib/state/keys.ts';
import type { NewIndex } from '../../lib/state/records.ts';
import { State } from '../../lib/state/state.ts';
import { temporaryFolder } from '../temporary.ts';
import { hooked, levelError } from './faulty-database.ts';
import { all, contentsOf, KINDS, Series } from './model.ts';

const SEED = Number(process.env.ETL_STATE_SEED ?? 1);

/** An index that nobody looks at. */
const INDEX: NewIndex = { value: Uint8Array.of(7), addedBytes: 1 };

/** Whose state has so many writes of a series that goes on. */
async function written(folder: string, writes: number): Promise<Series> {
  const series = new Series({ seed: SEED + 2 });
  const state = await State.open(folder, { create: true });
  for (let n = 0; n < writes; n++) await series.write(state);
  await state.close();
  return series;
}

test(`many writes, opened again now and then: all is as it was put (seed ${SEED})`, async (t) => {
  const folder = temporaryFolder(t);
  const series = new Series({ seed: SEED });
  let state = await State.open(folder, { create: true });
  assert.deepEqual(await contentsOf(state), series.contents);
  assert.equal(await state.input('/logs/none'), undefined);
  const kinds = new Set<string>();
  for (let writes = 1; writes <= 40; writes++) {
    kinds.add(series.next);
    const head = await series.write(state);
    assert.deepEqual(head, series.contents.head);
    if (writes % 7 === 0) await state.compact();
    if (writes % 3 === 0) {
      await state.close();
      state = await State.open(folder);
    }
    assert.deepEqual(await contentsOf(state), series.contents, `after write ${writes}`);
    assert.deepEqual(await state.check(), []);
  }
  assert.deepEqual(kinds, new Set(KINDS));
  await state.close();
  const level = await openLevel(join(folder, 'level'));
  const keys = await all(level.keys({}));
  await level.close();
  const { inputs, commits } = series.contents;
  assert.equal(keys.length, 2 + inputs.length + commits.length, 'and nothing else');
});

test('an index may be of any bytes: none, and some megabytes', async (t) => {
  const folder = temporaryFolder(t);
  const { content } = planOf(new Series({ seed: SEED }));
  for (const value of [new Uint8Array(0), new Uint8Array(5 << 20).fill(3), new Uint8Array(0)]) {
    let state = await State.open(folder, { create: true });
    await state.commit(content, { value, addedBytes: 0 }, []);
    assert.deepEqual(state.index, value);
    await state.close();
    state = await State.open(folder);
    assert.deepEqual(Buffer.from(state.index), Buffer.from(value));
    assert.deepEqual(await state.check(), []);
    await state.close();
  }
});

test('compacted after the index was written again and again: the space is free', async (t) => {
  const folder = temporaryFolder(t);
  const { content } = planOf(new Series({ seed: SEED }));
  // LevelDB removes files in a thread of its own, whenever it comes to it: what is gone by now takes no space.
  const bytesOnDisk = (): number => readdirSync(join(folder, 'level')).reduce((sum, name) => sum + (statSync(join(folder, 'level', name), { throwIfNoEntry: false })?.size ?? 0), 0);
  const state = await State.open(folder, { create: true });
  const value = new Uint8Array(3 << 20);
  for (let n = 1; n <= 6; n++) await state.commit(content, { value: value.slice().fill(n), addedBytes: 0 }, []);
  for (let n = 7; n <= 9; n++) await state.amend(content, value.slice().fill(n));
  assert.ok(bytesOnDisk() > 1.9 * value.length);
  await state.compact();
  assert.ok(bytesOnDisk() < 1.1 * value.length, `${bytesOnDisk()} bytes`);
  await state.compact();
  assert.deepEqual(await state.check(), []);
  assert.deepEqual(state.index, value.fill(9));
  assert.equal(await state.bytes(), bytesOnDisk());
  await state.close();
});

test('a commit afresh: nothing is left of earlier ones but their records, in memory and in the database', async (t) => {
  const folder = temporaryFolder(t);
  const series = await written(folder, 3);
  assert.ok(series.contents.inputs.length > 1);
  let state = await State.open(folder);
  const input = { path: '/logs/a', size: 1, mtime: '2', fingerprint: '3', rows: 4 };
  const { content } = planOf(new Series({ seed: SEED + 1 }));
  await state.commit({ ...content, ids: 1 }, INDEX, [input, { ...series.contents.inputs[0]!, size: 5 }], { afresh: true });
  const paths = ['/logs/a', series.contents.inputs[0]!.path].sort();
  for (let opened = 0; opened < 2; opened++) {
    assert.equal(state.head!.commit, 3);
    assert.deepEqual(await state.check(), []);
    assert.deepEqual((await all(state.inputs())).map(({ path }) => path), paths);
    assert.equal(await state.input(series.contents.inputs[1]!.path), undefined);
    const records = await all(state.commits());
    assert.deepEqual(records.slice(0, 2), series.contents.commits);
    assert.deepEqual([records.length, records[2]!.inputs, records[2]!.rows, records[2]!.bytes], [3, 2, content.rows, 1]);
    await state.close();
    state = await State.open(folder);
  }
  await state.close();
});

test('a commit that is amended has another index and content; it is the same commit, of the same inputs', async (t) => {
  const folder = temporaryFolder(t);
  const series = await written(folder, 2);
  const before = series.contents;
  const { format: _, commit: __, ...content } = before.head!;
  let state = await State.open(folder);
  for (const last of [8, 9]) {
    const head = await state.amend({ ...content, ids: last }, Uint8Array.of(last));
    for (let opened = 0; opened < 2; opened++) {
      assert.deepEqual(state.head, head);
      assert.deepEqual(head, { ...before.head, ids: last });
      assert.deepEqual(Buffer.from(state.index), Buffer.of(last));
      const { inputs, commits } = await contentsOf(state);
      assert.deepEqual({ inputs, commits }, { inputs: before.inputs, commits: before.commits });
      assert.deepEqual(await state.check(), []);
      await state.close();
      state = await State.open(folder);
    }
  }
  assert.equal((await state.commit(content, INDEX, [])).commit, 3);
  await state.close();
});

test('inputs and commits that are being read stay as they were when a commit is made; who asks meanwhile waits for it', async (t) => {
  const series = new Series({ seed: SEED });
  const state = await State.open(temporaryFolder(t), { create: true });
  for (let n = 0; n < 4; n++) await series.write(state);
  const before = series.contents;
  const [inputs, commits] = [state.inputs(), state.commits()];
  const first = { input: (await inputs.next()).value, commit: (await commits.next()).value };
  assert.equal(series.next, 'afresh');
  const writing = series.write(state);
  const meanwhile = contentsOf(state).then(async ({ inputs: found }) => [found, await all(state.commits())]);
  await writing;
  assert.deepEqual(await meanwhile, [series.contents.inputs, series.contents.commits]);
  assert.deepEqual([first.input, ...await all(inputs)], before.inputs);
  assert.deepEqual([first.commit, ...await all(commits)], before.commits);
  assert.notDeepEqual(before.inputs, series.contents.inputs);
  await state.close();
});

/** Content of a commit that nobody looks at. */
function planOf(series: Series): { content: Parameters<State['commit']>[0] } {
  series.skip();
  const { format: _, commit: __, ...content } = series.contents.head!;
  return { content };
}

test('an input that is read again has its last record only; the last of equal ones counts', async (t) => {
  const folder = temporaryFolder(t);
  const { content } = planOf(new Series({ seed: SEED }));
  let state = await State.open(folder, { create: true });
  const input = { path: `/${'long/'.repeat(800)}\u{1F600} "x"\n`, size: 1, mtime: '17', fingerprint: 'ab', rows: 3 };
  await state.commit(content, INDEX, [input, { ...input, size: 2 }]);
  await state.commit(content, INDEX, [{ ...input, size: 3 }]);
  await state.close();
  state = await State.open(folder);
  const expected = { ...input, size: 3, commit: 2, when: content.when };
  assert.deepEqual(await all(state.inputs()), [expected]);
  assert.deepEqual(await state.input(input.path), expected);
  await state.close();
});

test('there is no state: an error, nothing made', async (t) => {
  const folder = temporaryFolder(t);
  await assert.rejects(State.open(join(folder, 'none')), { code: 'ETL_STATE_READ', message: `There is no state in ${join(folder, 'none')}.` });
  assert.deepEqual(readdirSync(folder), []);
  mkdirSync(join(folder, 'half', 'level'), { recursive: true });
  writeFileSync(join(folder, 'half', 'level', 'MANIFEST-000001'), 'killed while it was made');
  await assert.rejects(State.open(join(folder, 'half')), { code: 'ETL_STATE_READ' });
  await (await State.open(join(folder, 'half'), { create: true })).close();
  writeFileSync(join(folder, 'file'), '');
  await assert.rejects(State.open(join(folder, 'file', 'state'), { create: true }), { code: 'ETL_STATE_READ' });
});

test('without CURRENT, LevelDB would begin anew and remove all: it is not asked', async (t) => {
  const folder = temporaryFolder(t);
  await written(folder, 1);
  rmSync(join(folder, 'level/CURRENT'));
  const before = readdirSync(join(folder, 'level')).sort();
  await assert.rejects(State.open(folder, { create: true }), { code: 'ETL_STATE_DAMAGED', message: /CURRENT is missing/ });
  assert.deepEqual(readdirSync(join(folder, 'level')).sort(), before);
});

test('a state that is open is not opened again by the same process, whatever it is called; it stays locked for others', async (t) => {
  const parent = temporaryFolder(t);
  const folder = join(parent, 'state');
  const state = await State.open(folder, { create: true });
  symlinkSync(folder, join(parent, 'link'));
  for (const name of [folder, join(parent, 'link'), `${folder}/.`]) {
    await assert.rejects(State.open(name), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ETL_STATE_LOCKED');
      assert.match(error.message, new RegExp(`is in use by process ${process.pid} on .* since 20`));
      return true;
    });
  }
  await state.close();
  assert.deepEqual(readdirSync(folder), ['level'], 'the owner is gone');
  await (await State.open(join(parent, 'link'))).close();
});

test('an owner that a killed process left, or that cannot be read, is no obstacle', async (t) => {
  const folder = temporaryFolder(t);
  for (const text of ['{"pid":1,"host":"gone"}', '{', '']) {
    writeFileSync(join(folder, 'owner.json'), text);
    const state = await State.open(folder, { create: true });
    assert.equal((JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8')) as { pid: number }).pid, process.pid);
    await state.close();
  }
});

/** And after how many writes of a series it comes. */
const WRITES = [['a commit', 1], ['an amendment', 2], ['a commit afresh', 4], ['compacting', 3]] as const;

for (const [name, writes] of WRITES) {
  const write = async (state: State, series: Series): Promise<unknown> => (name === 'compacting' ? state.compact() : series.write(state));

  test(`${name} fails: nothing is written after it, and the state is that of the write before`, async (t) => {
    const folder = temporaryFolder(t);
    const series = await written(folder, writes);
    let [isFull, calls] = [false, 0];
    const openDatabase = hooked({
      before: () => {
        calls++;
        if (isFull) throw levelError('LEVEL_IO_ERROR', 'IO error: 000003.log: No space left on device');
      },
    });
    let state = await State.open(folder, { openDatabase });
    isFull = true;
    const failure = { code: 'ETL_STATE_WRITE', message: /^Writing the state .* failed: IO error: .*No space left/, hint: /The disk is full/ };
    await assert.rejects(write(state, series), failure);
    isFull = false;
    const before = calls;
    const { content } = planOf(new Series({ seed: SEED }));
    for (const later of [() => write(state, series), () => state.commit(content, INDEX, []), () => state.amend(content, INDEX.value), () => state.compact()]) {
      await assert.rejects(later, failure);
    }
    assert.equal(calls, before);
    assert.deepEqual(await contentsOf(state), series.contents);
    assert.deepEqual(await state.check(), []);
    await state.close();
    state = await State.open(folder);
    assert.deepEqual(await contentsOf(state), series.contents);
    await write(state, series);
    assert.deepEqual(await contentsOf(state), series.contents);
    await state.close();
  });

  test(`${name} is said to have failed, and was done: it is there when the state is opened again`, async (t) => {
    const folder = temporaryFolder(t);
    const series = await written(folder, writes);
    const openDatabase = hooked({ after: () => { throw levelError('LEVEL_IO_ERROR', 'IO error: Input/output error'); } });
    let state = await State.open(folder, { openDatabase });
    await assert.rejects(write(state, series), { code: 'ETL_STATE_WRITE', hint: /Check permissions/ });
    assert.deepEqual(state.head, series.contents.head);
    await assert.rejects(write(state, series), { code: 'ETL_STATE_WRITE' });
    await state.close();
    if (name !== 'compacting') series.skip();
    state = await State.open(folder);
    assert.deepEqual(await contentsOf(state), series.contents);
    assert.deepEqual(await state.check(), []);
    await state.close();
  });
}

test('what LevelDB calls corruption while it writes is a damage', async (t) => {
  const openDatabase = hooked({
    before: (_, operations) => {
      if (operations.length > 2) throw levelError('LEVEL_CORRUPTION', 'Corruption: block checksum mismatch');
    },
  });
  const state = await State.open(temporaryFolder(t), { create: true, openDatabase });
  await assert.rejects(new Series({ seed: SEED }).write(state), { code: 'ETL_STATE_DAMAGED', hint: /etl-stream state check/ });
  await state.close();
});

test('every write is one batch, synced, that has head and index', async (t) => {
  const batches: { readonly operations: readonly Operation[]; readonly sync: unknown }[] = [];
  const openDatabase = hooked({ before: (_, operations, { sync }) => void batches.push({ operations, sync }) });
  const state = await State.open(temporaryFolder(t), { create: true, openDatabase });
  const series = new Series({ seed: SEED, indexBytes: 1 << 20 });
  for (let writes = 0; writes < KINDS.length; writes++) await series.write(state);
  await state.close();
  assert.equal(batches.length, 1 + KINDS.length);
  for (const { operations, sync } of batches) {
    assert.equal(sync, true);
    const keys = operations.map(({ key }) => Buffer.from(key).toString());
    assert.ok(keys.includes('head') && keys.includes('index'), keys.join());
  }
});

test('one write at a time: another one is refused, and the first goes on', async (t) => {
  const state = await State.open(temporaryFolder(t), { create: true });
  const series = new Series({ seed: SEED });
  const { content } = planOf(new Series({ seed: SEED }));
  const writing = series.write(state);
  for (const other of [() => state.commit(content, INDEX, []), () => state.amend(content, INDEX.value), () => state.compact()]) {
    await assert.rejects(other, { code: 'ETL_INTERNAL' });
  }
  await writing;
  assert.deepEqual(await contentsOf(state), series.contents);
  await state.close();
});

test('closed while a commit is under way: it waits for it; afterwards nothing goes', async (t) => {
  const folder = temporaryFolder(t);
  let state = await State.open(folder, { create: true, openDatabase: hooked({ before: () => new Promise(setImmediate) }) });
  const { content } = planOf(new Series({ seed: SEED }));
  const input = { path: '/x', size: 1, mtime: '2', fingerprint: '3', rows: 4 };
  const commit = state.commit(content, INDEX, [input, { ...input, path: '/y' }]);
  const closing = state.close();
  assert.equal(state.close(), closing);
  assert.equal((await commit).commit, 1);
  await closing;
  for (const write of [() => state.commit(content, INDEX, []), () => state.amend(content, INDEX.value), () => state.compact()]) {
    await assert.rejects(write, { code: 'ETL_STATE_WRITE', message: /is closed/ });
  }
  for (const read of [() => all(state.inputs()), () => all(state.commits()), () => state.input('/x'), () => state.check(), () => state.bytes()]) {
    await assert.rejects(read, { code: 'ETL_STATE_READ', message: /it is closed/ });
  }
  assert.equal(state.head?.commit, 1);
  state = await State.open(folder);
  assert.equal(state.head?.commit, 1);
  const [begun, other] = [state.inputs(), state.commits()];
  await begun.next();
  await state.close();
  await assert.rejects(all(begun), { code: 'ETL_STATE_READ' });
  await assert.rejects(all(other), { code: 'ETL_STATE_READ', message: /it is closed/ });
});

test('what LevelDB loses while the state is open is found when it is read, and by a check', async (t) => {
  const folder = temporaryFolder(t);
  let level: Awaited<ReturnType<typeof openLevel>> | undefined;
  const state = await State.open(folder, { create: true, openDatabase: async (path) => (level = await openLevel(path)) });
  const { content } = planOf(new Series({ seed: SEED }));
  const input = { path: '/x', size: 1, mtime: '2', fingerprint: '3', rows: 4 };
  await state.commit(content, INDEX, [input, { ...input, path: '/y' }]);
  assert.deepEqual(await state.check(), []);
  const lost: [key: Uint8Array, read: (() => Promise<unknown>) | undefined, problem: RegExp][] = [
    [Buffer.from('index'), undefined, /The index .* is not that of the last commit/],
    [inputKey('/x'), () => state.input('/x'), /There are records of 1 inputs, and there should be 2/],
    [inputKey('/x'), () => all(state.inputs()), /There are records of 1 inputs, and there should be 2/],
    [Buffer.from('commit/\0\0\0\u0001'), () => all(state.commits()), /The record of commit 1 is not found[^]*records of 0 commits .* should be 1/],
  ];
  for (const [key, read, problem] of lost) {
    const value = (await level!.get(key))!;
    for (const operation of [{ type: 'del', key }, { type: 'put', key, value: value.map((byte) => byte ^ 1) }] as const) {
      await level!.batch([operation], { sync: false });
      if (read) await assert.rejects(read, { code: 'ETL_STATE_DAMAGED' });
      const problems = (await state.check()).join('\n');
      if (operation.type === 'del') assert.match(problems, problem);
      else assert.match(problems, /is damaged|not that of the last commit/);
    }
    await level!.batch([{ type: 'put', key, value }], { sync: false });
    assert.deepEqual(await state.check(), []);
  }
  await state.close();
});
