/** Pages that are read from LevelDB's tables, and those that LevelDB is asked for because they are not there any more. */
import assert from 'node:assert/strict';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PagePlaces } from '../../lib/state/page-places.ts';
import { KEY_SUFFIX_BYTES } from '../../lib/state/level-blocks.ts';
import { pageKey, type PagePlace } from '../../lib/state/keys.ts';
import type { SlicePage } from '../../lib/state/page-reader.ts';
import { State } from '../../lib/state/state.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { hooked } from './faulty-database.ts';
import { all, contentsOf, Series } from './model.ts';

const SEED = Number(process.env.ETL_STATE_SEED ?? 1);
const CASES = Number(process.env.ETL_STATE_CASES ?? 12);

/** A state, and how many pages LevelDB was asked for. */
async function opened(folder: string): Promise<{ state: State; asked: () => number }> {
  let count = 0;
  const state = await State.open(folder, { create: true, openDatabase: hooked({ many: (keys) => void (count += keys.length) }) });
  return { state, asked: () => count };
}

function plan(): Parameters<State['commit']>[0] {
  const series = new Series({ seed: SEED });
  series.skip();
  const { format: _, commit: __, ...content } = series.contents.head!;
  return content;
}

function textOf({ slice, page }: SlicePage): string {
  return `${slice} ${Buffer.from(page).toString('base64')}`;
}

/** Pages as they come, each looked at before the next. */
async function copied(state: State, first: number, last: number, reuse: boolean): Promise<string[]> {
  const pages: string[] = [];
  for await (const page of state.pages(first, last, { reuse })) pages.push(textOf(page));
  return pages;
}

for (const [name, pages, bytes] of [['a byte', 300, 1], ['some hundred bytes', 500, 300], ['some kilobytes', 400, 5000], ['800 KB', 25, 800_000]] as const) {
  test(`pages of ${name}: a state that was opened again has them from the tables`, async (t) => {
    const folder = temporaryFolder(t);
    const next = random(SEED);
    const expected: string[] = [];
    let { state, asked } = await opened(folder);
    for (let commit = 1; commit <= 2; commit++) {
      for (let n = 0; n < pages; n++) {
        const page = new Uint8Array(Math.max(1, Math.round(bytes * (0.5 + next()))));
        for (let at = 0; at < page.length; at += 61) page[at] = Math.floor(next() * 256);
        await state.add((n * 7) % 1024, page);
        expected.push(`${(n * 7) % 1024} ${Buffer.from(page).toString('base64')}`);
      }
      await state.commit(plan(), []);
    }
    const inOrder = expected.sort((a, b) => parseInt(a, 10) - parseInt(b, 10)); // stable
    assert.deepEqual(await copied(state, 0, 1023, true), inOrder);
    assert.equal(asked(), 2 * pages, 'they were in no table when it was opened');
    await state.close();
    ({ state, asked } = await opened(folder));
    for (const reuse of [true, false]) assert.deepEqual(await copied(state, 0, 1023, reuse), inOrder);
    assert.deepEqual((await all(state.pages(0, 1023))).map(textOf), inOrder, 'they stay');
    assert.equal(asked(), 0);
    await state.close();
  });
}

for (const manifest of ['is read', 'cannot be read'] as const) {
  test(`tables that are gone, since they were compacted after it was opened; the manifest ${manifest}`, async (t) => {
    const folder = temporaryFolder(t);
    const series = new Series({ seed: SEED, pagesPerCommit: 40, pageBytes: 20_000 });
    for (let commit = 1; commit <= 3; commit++) {
      const { state } = await opened(folder);
      await series.commit(state);
      await state.close();
    }
    const { state, asked } = await opened(folder);
    const tables = (): string[] => readdirSync(join(folder, 'level')).filter((file) => file.endsWith('.ldb'));
    const before = tables();
    const begun = state.pages(0, 11);
    const first = (await begun.next()).value!;
    const reusing = state.pages(0, 11, { reuse: true });
    const inTurn = [textOf((await reusing.next()).value!)];
    await state.compact({ all: true });
    const after = tables();
    assert.ok(before.every((file) => !after.includes(file)), `${before.join()} -> ${after.join()}`);
    const current = join(folder, 'level/CURRENT');
    if (manifest === 'cannot be read') renameSync(current, `${current}.away`);
    const pages = [first, ...await all(begun)].map(textOf);
    assert.equal(pages.length, Object.values(series.contents.pages).flat().length);
    for await (const page of reusing) inTurn.push(textOf(page));
    assert.deepEqual(inTurn, pages);
    assert.deepEqual(await contentsOf(state), series.contents);
    assert.equal(asked() > 0, manifest === 'cannot be read', `${asked()} pages`);
    if (manifest === 'cannot be read') renameSync(`${current}.away`, current);
    await state.close();
  });
}

test('keys that a run wrote which was killed, written again by the next: the last write is found', async (t) => {
  const folder = temporaryFolder(t);
  const pageOf = (n: number): Uint8Array => new Uint8Array(1 << 20).fill(n);
  let { state, asked } = await opened(folder);
  for (let n = 0; n < 9; n++) await state.add(n, pageOf(n));
  await state.close();
  ({ state, asked } = await opened(folder));
  for (let n = 0; n < 9; n++) await state.add(n, pageOf(n + 100));
  await state.commit(plan(), []);
  for (let round = 0; round < 2; round++) {
    assert.deepEqual((await all(state.pages(0, 8))).map(({ page }) => page[0]), [100, 101, 102, 103, 104, 105, 106, 107, 108]);
    if (round === 1) assert.equal(asked(), 0);
    await state.close();
    ({ state, asked } = await opened(folder));
  }
  await state.close();
});

test('many tables, several readers at once, in an order that is not theirs', async (t) => {
  const folder = temporaryFolder(t);
  let { state, asked } = await opened(folder);
  for (let n = 0; n < 180; n++) await state.add((n * 37) % 180, new Uint8Array(500_000).fill(n));
  await state.commit(plan(), []);
  await state.close();
  ({ state, asked } = await opened(folder));
  const tables = readdirSync(join(folder, 'level')).filter((file) => file.endsWith('.ldb'));
  assert.ok(tables.length > 16, `${tables.length} tables`);
  await Promise.all([0, 60, 120].map(async (first) => {
    let slice = first;
    for await (const { slice: found, page } of state.pages(first, first + 59, { reuse: true })) {
      assert.deepEqual([found, (page[0]! * 37) % 180, (page.at(-1)! * 37) % 180], [slice, slice, slice]);
      slice++;
    }
    assert.equal(slice, first + 60);
  }));
  assert.equal(asked(), 0);
  const files = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);
  const before = files();
  const left = state.pages(0, 179);
  await left.next();
  await state.close();
  assert.ok(files() <= before, 'files of a reader who went away are closed');
  await assert.rejects(all(left), { code: 'ETL_STATE_READ' });
});

test(`random states, opened, compacted and given up now and then (seed ${SEED})`, async (t) => {
  const next = random(SEED + 77);
  const parent = temporaryFolder(t);
  let withoutLevel = 0;
  for (let n = 0; n < CASES; n++) {
    const folder = join(parent, String(n));
    const pageBytes = Math.ceil(10 ** (1 + next() * 4.3));
    const series = new Series({ seed: SEED * 100 + n, pagesPerCommit: 1 + Math.floor(next() * 20), pageBytes });
    let { state, asked } = await opened(folder);
    for (let commit = 1; commit <= 8; commit++) {
      await series.commit(state);
      const dice = next();
      if (dice < 0.2) await state.compact({ all: true });
      if (dice > 0.8) await series.add(state); // lost when it is closed
      assert.deepEqual(await contentsOf(state), series.contents);
      if (dice > 0.8 || next() < 0.5) {
        await state.close();
        ({ state, asked } = await opened(folder));
        assert.deepEqual(await contentsOf(state), series.contents, `state ${n}, commit ${commit}`);
      }
    }
    await state.close();
    ({ state, asked } = await opened(folder));
    assert.deepEqual(await contentsOf(state), series.contents);
    if (asked() === 0) withoutLevel++;
    await state.close();
  }
  assert.ok(withoutLevel > 0);
  t.diagnostic(`${withoutLevel} of ${CASES} were read without LevelDB`); // others it compacted when they were opened
});

test('of equal keys the last write counts, none if it deleted; of tables those that are there', () => {
  const places = new PagePlaces();
  const place = (number: number): PagePlace => ({ commit: 1, number, slice: 3 });
  const write = (number: number, sequence: bigint, type: 0 | 1, at: number): void => {
    const key = new Uint8Array([...pageKey(place(number)), ...new Uint8Array(KEY_SUFFIX_BYTES)]);
    new DataView(key.buffer).setBigUint64(key.length - KEY_SUFFIX_BYTES, (sequence << 8n) | BigInt(type), true);
    places.add(key, at);
  };
  places.beginTable('a');
  write(1, 5n, 1, 10);
  write(1, 4n, 1, 11);
  write(2, 5n, 1, 12);
  write(3, 1n << 40n, 1, 13);
  places.beginTable('b');
  write(0, 1n, 1, 20);
  write(2, 6n, 0, 21);
  write(3, 5n, 0, 22);
  places.add(Buffer.from('input/x12345678'), 23);
  places.add(new Uint8Array(8), 24);
  assert.equal(places.find(place(1)), undefined, 'it is not settled');
  places.settle(new Set(['a', 'b']));
  assert.deepEqual([0, 1, 2, 3, 4].map((number) => places.find(place(number))), [{ table: 'b', at: 20 }, { table: 'a', at: 10 }, undefined, { table: 'a', at: 13 }, undefined]);
  assert.equal(places.find({ ...place(1), slice: 4 }), undefined);
  places.beginTable('c');
  write(1, 6n, 1, 30);
  assert.deepEqual(places.find(place(1)), { table: 'a', at: 10 });
  places.settle(new Set(['a', 'c']));
  assert.deepEqual([0, 1, 2, 3].map((number) => places.find(place(number))), [undefined, { table: 'c', at: 30 }, undefined, { table: 'a', at: 13 }]);
  places.forget('a');
  assert.deepEqual([1, 3].map((number) => places.find(place(number))), [{ table: 'c', at: 30 }, undefined]);
});
