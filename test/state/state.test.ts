/** The state: what is committed is there, what is not is not; locks; writes that fail. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { IdHistory } from '../../lib/dedup/history.ts';
import { SLICE_BITS } from '../../lib/dedup/history.ts';
import { openLevel } from '../../lib/state/database.ts';
import { PAGES } from '../../lib/state/keys.ts';
import { SLICES, type PageRef } from '../../lib/state/page-index.ts';
import { State } from '../../lib/state/state.ts';
import { temporaryFolder } from '../temporary.ts';
import { hooked, levelError } from './faulty-database.ts';
import { all, contentsOf, Series } from './model.ts';

const SEED = Number(process.env.ETL_STATE_SEED ?? 1);

/** How many keys of pages LevelDB has, whoever may see them. */
async function pageKeys(folder: string): Promise<number> {
  const level = await openLevel(join(folder, 'level'));
  try {
    return (await all(level.keys(PAGES))).length;
  } finally {
    await level.close();
  }
}

test('a state is the history of a key set, with as many slices', async (t) => {
  const state = await State.open(temporaryFolder(t), { create: true });
  const history: IdHistory = state;
  assert.deepEqual(await all(history.pages(0, 0)), []);
  assert.equal(SLICES, 1 << SLICE_BITS);
  await state.close();
});

test(`many commits, opened again now and then: all is as it was put (seed ${SEED})`, async (t) => {
  const folder = temporaryFolder(t);
  const series = new Series({ seed: SEED });
  let state = await State.open(folder, { create: true });
  assert.deepEqual(await contentsOf(state), series.contents);
  assert.equal(await state.input('/logs/none'), undefined);
  for (let commit = 1; commit <= 40; commit++) {
    assert.equal((await series.commit(state)).commit, commit);
    if (commit % 3 === 0) {
      await state.close();
      state = await State.open(folder, { atLeast: commit });
    }
    assert.deepEqual(await contentsOf(state), series.contents, `after commit ${commit}`);
  }
  assert.deepEqual(await state.check(), []);
  const pages = Object.values(series.contents.pages).reduce((sum, { length }) => sum + length, 0);
  await state.close();
  assert.ok(pages < 12 * 10, 'pages were replaced');
  assert.equal(await pageKeys(folder), pages, 'and replaced ones are gone');
});

test('pages of a commit that is not made are seen by nobody, and gone when it is given up or the state opened again', async (t) => {
  const folder = temporaryFolder(t);
  const series = new Series({ seed: SEED + 1, pagesPerCommit: 8, pageBytes: 1 << 20 });
  let state = await State.open(folder, { create: true });
  await series.commit(state);
  await series.add(state);
  assert.deepEqual(await contentsOf(state), series.contents);
  assert.deepEqual(await state.check(), []);
  await state.abandon();
  await state.abandon();
  assert.deepEqual(await contentsOf(state), series.contents);
  await series.commit(state);
  const committed = Object.values(series.contents.pages).flat().length;
  await series.add(state);
  await state.close();
  assert.ok(await pageKeys(folder) > committed, 'a batch was written before the state was closed');

  state = await State.open(folder);
  assert.deepEqual(await contentsOf(state), series.contents);
  await state.close();
  assert.equal(await pageKeys(folder), committed);
  state = await State.open(folder);
  await series.commit(state);
  assert.deepEqual(await contentsOf(state), series.contents);
  await state.close();
});

test('compacted after pages were replaced: their space is free', async (t) => {
  const folder = temporaryFolder(t);
  const { content } = planOf(new Series({ seed: SEED }));
  const bytesOnDisk = (): number => readdirSync(join(folder, 'level')).reduce((sum, name) => sum + statSync(join(folder, 'level', name)).size, 0);
  const state = await State.open(folder, { create: true });
  for (let commit = 1; commit <= 3; commit++) {
    for (let slice = 0; slice < 100; slice++) await state.add(slice, new Uint8Array(100_000).fill(commit));
    await state.commit(content, []);
  }
  for (let slice = 0; slice < 100; slice++) await state.replace(slice, state.committed(slice), Uint8Array.of(slice));
  await state.commit(content, []);
  assert.ok(bytesOnDisk() > 25e6);
  await state.compact();
  assert.ok(bytesOnDisk() < 5e6, `${bytesOnDisk()} bytes`);
  await state.compact();
  assert.deepEqual(await state.check(), []);
  for (let slice = 0; slice < 100; slice++) assert.deepEqual(await all(state.pages(slice)), [{ slice, page: Uint8Array.of(slice) }]);
  await state.close();
});

test('a commit afresh: nothing is left of earlier ones, in memory and in the database', async (t) => {
  const folder = temporaryFolder(t);
  const series = new Series({ seed: SEED });
  let state = await State.open(folder, { create: true });
  for (let commit = 1; commit <= 3; commit++) await series.commit(state);
  const input = { path: '/logs/a', size: 1, mtime: '2', fingerprint: '3', rows: 4 };
  const { content } = planOf(new Series({ seed: SEED + 1 }));
  const page = Uint8Array.of(7);
  await state.add(5, page);
  await state.commit({ ...content, ids: 1 }, [input], { afresh: true });
  for (let opened = 0; opened < 2; opened++) {
    assert.equal(state.head!.commit, 4);
    assert.deepEqual(await state.check(), []);
    assert.deepEqual((await all(state.inputs())).map(({ path }) => path), ['/logs/a']);
    for (let slice = 0; slice < 1024; slice++) assert.deepEqual(await all(state.pages(slice)), slice === 5 ? [{ slice, page }] : []);
    const records = await all(state.commits());
    assert.deepEqual([records.length, records.at(-1)!.ids, records.at(-1)!.rows], [4, 1, content.rows]);
    await state.close();
    assert.equal(await pageKeys(folder), 1);
    state = await State.open(folder);
  }
  await state.close();
});

test('compacted when it is worth it: after a commit afresh, not after others', async (t) => {
  const state = await State.open(temporaryFolder(t), { create: true });
  const { content } = planOf(new Series({ seed: SEED }));
  for (let n = 0; n < 50; n++) await state.add(n, new Uint8Array(1 << 20).fill(n));
  await state.commit(content, []);
  await state.replace(7, state.committed(7), Uint8Array.of(7));
  await state.commit(content, []);
  assert.equal(await state.compactIfWorth(), false);
  await state.add(1, Uint8Array.of(1));
  await state.commit(content, [], { afresh: true });
  assert.equal(await state.compactIfWorth(), true);
  assert.ok(await state.bytes() < 5e6);
  assert.equal(await state.compactIfWorth(), false);
  await state.close();
});

test('pages that are being read stay as they were when a commit replaces them', async (t) => {
  const state = await State.open(temporaryFolder(t), { create: true });
  const series = new Series({ seed: SEED });
  await state.add(7, Uint8Array.of(1));
  await state.add(7, Uint8Array.of(2));
  const { content } = planOf(series);
  await state.commit(content, []);
  const reading = state.pages(7);
  assert.deepEqual((await reading.next()).value, { slice: 7, page: Uint8Array.of(1) });
  await state.replace(7, state.committed(7), Uint8Array.of(1, 2));
  await assert.rejects(state.replace(7, state.committed(7).slice(1), Uint8Array.of(9)), { code: 'ETL_INTERNAL' });
  await state.commit(content, []);
  assert.deepEqual((await reading.next()).value, { slice: 7, page: Uint8Array.of(2) });
  assert.equal((await reading.next()).done, true);
  assert.deepEqual(await all(state.pages(7)), [{ slice: 7, page: Uint8Array.of(1, 2) }]);
  await state.close();
});

test('pages of many slices are read slice after slice, ahead by a read, and stay as they were', async (t) => {
  const state = await State.open(temporaryFolder(t), { create: true });
  const { content } = planOf(new Series({ seed: SEED }));
  const pageOf = (n: number): Uint8Array => new Uint8Array(400_000 + n).fill(n);
  for (let n = 11; n > 0; n--) await state.add(n >> 1, pageOf(n));
  await state.commit(content, []);
  const numbers = async (pages: AsyncIterable<{ slice: number; page: Uint8Array }>): Promise<number[]> =>
    (await all(pages)).map(({ slice, page }) => {
      assert.deepEqual([page.length, slice, page.at(-1)], [400_000 + page[0]!, page[0]! >> 1, page[0]]);
      return page[0]!;
    });
  const expected = [1, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10];
  assert.deepEqual(await numbers(state.pages(0, SLICES - 1)), expected);
  assert.deepEqual(await numbers(state.pages(1, 4)), expected.slice(1, 9));
  assert.deepEqual(await all(state.pages(6, SLICES - 1)), []);
  const [older, newer] = state.committed(5) as [PageRef, PageRef];
  assert.deepEqual(await all(state.pagesAt(5, [newer])), [pageOf(10)]);

  const reading = state.pages(0, 5);
  const begun = [await reading.next(), await reading.next()].map(({ value }) => value!);
  await state.replace(5, [older, newer], pageOf(1));
  await state.replace(4, state.committed(4), pageOf(2));
  await state.commit(content, []);
  await state.compact();
  assert.deepEqual([...begun.map(({ page }) => page[0]), ...await numbers(reading)], expected);
  assert.deepEqual((await all(state.pages(4, 5))).map(({ page }) => page[0]), [2, 1]);
  await assert.rejects(all(state.pagesAt(5, [older])), { code: 'ETL_INTERNAL' });

  const given = state.pages(0, 5);
  await given.next();
  await given.return(undefined);
  const closed = state.pages(0, 5);
  await closed.next();
  await state.close();
  await assert.rejects(all(closed), { code: 'ETL_STATE_READ' });
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
  await state.commit(content, [input, { ...input, size: 2 }]);
  await state.commit(content, [{ ...input, size: 3 }]);
  await state.close();
  state = await State.open(folder);
  const expected = { ...input, size: 3, commit: 2, when: content.when };
  assert.deepEqual(await all(state.inputs()), [expected]);
  assert.deepEqual(await state.input(input.path), expected);
  await state.close();
});

test('there is no state: an error, nothing made; with `atLeast` a damage', async (t) => {
  const folder = temporaryFolder(t);
  await assert.rejects(State.open(join(folder, 'none')), { code: 'ETL_STATE_READ', message: `There is no state in ${join(folder, 'none')}.` });
  await assert.rejects(State.open(join(folder, 'none'), { create: true, atLeast: 1 }), { code: 'ETL_STATE_DAMAGED' });
  assert.deepEqual(readdirSync(folder), []);
  mkdirSync(join(folder, 'half', 'level'), { recursive: true });
  writeFileSync(join(folder, 'half', 'level', 'MANIFEST-000001'), 'killed while it was made');
  await (await State.open(join(folder, 'half'), { create: true })).close();
  writeFileSync(join(folder, 'file'), '');
  await assert.rejects(State.open(join(folder, 'file', 'state'), { create: true }), { code: 'ETL_STATE_READ' });
});

test('without CURRENT, LevelDB would begin anew and remove all: it is not asked', async (t) => {
  const folder = temporaryFolder(t);
  const state = await State.open(folder, { create: true });
  await new Series({ seed: SEED }).commit(state);
  await state.close();
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

for (const at of ['a batch of pages', 'the last batch'] as const) {
  test(`${at} fails: nothing is written after it, and the state is that of the commit before`, async (t) => {
    const folder = temporaryFolder(t);
    const series = new Series({ seed: SEED + 2, pagesPerCommit: 30, pageBytes: 1 << 20 });
    let [isFull, calls] = [false, 0];
    const openDatabase = hooked({
      before: (call, operations) => {
        calls++;
        const isPages = !operations.some(({ key }) => Buffer.from(key).toString() === 'head');
        if (isFull && call === 'batch' && isPages === (at === 'a batch of pages')) throw levelError('LEVEL_IO_ERROR', 'IO error: 000003.log: No space left on device');
      },
    });
    let state = await State.open(folder, { create: true, openDatabase });
    await series.commit(state);
    isFull = true;
    const failure = { code: 'ETL_STATE_WRITE', message: /^Writing the state .* failed: IO error: .*No space left/, hint: /The disk is full/ };
    await assert.rejects(series.commit(state), failure);
    isFull = false;
    const before = calls;
    await assert.rejects(state.add(1, Uint8Array.of(1)), failure);
    await assert.rejects(series.commit(state), failure);
    await state.abandon();
    assert.equal(calls, before);
    assert.deepEqual(await contentsOf(state), series.contents);
    await state.close();
    state = await State.open(folder, { atLeast: 1 });
    assert.deepEqual(await contentsOf(state), series.contents);
    await series.commit(state);
    assert.deepEqual(await contentsOf(state), series.contents);
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
  await assert.rejects(new Series({ seed: SEED }).commit(state), { code: 'ETL_STATE_DAMAGED', hint: /etl-stream state check/ });
  await state.close();
});

test('every write is synced', async (t) => {
  const syncs: unknown[] = [];
  const openDatabase = hooked({ before: (call, _, { sync }) => void (call === 'batch' && syncs.push(sync)) });
  const state = await State.open(temporaryFolder(t), { create: true, openDatabase });
  await new Series({ seed: SEED, pagesPerCommit: 20, pageBytes: 1 << 20 }).commit(state);
  await state.close();
  assert.ok(syncs.length > 4);
  assert.deepEqual(new Set(syncs), new Set([true]));
});

test('closed while a commit and adds are under way: it waits for the commit; afterwards nothing goes', async (t) => {
  const folder = temporaryFolder(t);
  const series = new Series({ seed: SEED });
  let state = await State.open(folder, { create: true });
  await series.add(state);
  const { content } = planOf(new Series({ seed: SEED }));
  const commit = state.commit(content, []);
  const closing = state.close();
  assert.equal(state.close(), closing);
  assert.equal((await commit).commit, 1);
  await closing;
  await assert.rejects(state.add(1, Uint8Array.of(1)), { code: 'ETL_STATE_WRITE', message: /is closed/ });
  await assert.rejects(state.commit(content, []), { code: 'ETL_STATE_WRITE' });
  for (const read of [() => all(state.pages(1)), () => all(state.inputs()), () => all(state.commits()), () => state.input('/x'), () => state.check()]) {
    await assert.rejects(read, { code: 'ETL_STATE_READ', message: /it is closed/ });
  }
  state = await State.open(folder);
  assert.equal(state.head?.commit, 1);
  const pages = state.pages(0);
  await state.close();
  await assert.rejects(all(pages), { code: 'ETL_STATE_READ' });
});

test('an add that waits when the commit is given up is told so', async (t) => {
  let letGo = (): void => undefined;
  let isHeld = false;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const openDatabase = hooked({ before: () => (isHeld ? held : undefined) });
  const state = await State.open(temporaryFolder(t), { create: true, openDatabase });
  isHeld = true;
  const page = new Uint8Array(3 << 20);
  const adds = [1, 2, 3, 4, 5, 6].map((slice) => state.add(slice, page));
  await Promise.all(adds.slice(0, 4));
  const waiting = Promise.allSettled(adds);
  const abandon = state.abandon();
  await assert.rejects(state.add(1, page), { code: 'ETL_INTERNAL' });
  letGo();
  await abandon;
  assert.deepEqual((await waiting).map(({ status }) => status), ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected']);
  assert.deepEqual(await state.check(), []);
  await state.add(1, Uint8Array.of(5));
  await state.commit(planOf(new Series({ seed: SEED })).content, []);
  assert.deepEqual(await all(state.pages(1)), [{ slice: 1, page: Uint8Array.of(5) }]);
  await state.close();
});
