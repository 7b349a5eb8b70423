/** Records that are gone, exchanged or too new, each by itself: what finds it, and when. */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLevel, type Database } from '../../lib/state/database.ts';
import { commitKey, HEAD_KEY, INDEX_KEY, inputKey, INPUTS } from '../../lib/state/keys.ts';
import { encodeRecord } from '../../lib/state/records.ts';
import { Seals } from '../../lib/state/seal.ts';
import { State } from '../../lib/state/state.ts';
import { temporaryFolder } from '../temporary.ts';
import { all, contentsOf, Series } from './model.ts';

const seals = await Seals.load();

const put = (level: Database, key: Uint8Array, value: Uint8Array): Promise<void> => level.batch([{ type: 'put', key, value }], { sync: false });
const del = (level: Database, key: Uint8Array): Promise<void> => level.batch([{ type: 'del', key }], { sync: false });
const restore = async (level: Database, earlier: Database, keys: readonly Uint8Array[]): Promise<void> => {
  for (const key of keys) await put(level, key, (await earlier.get(key))!);
};
const firstInput = async (level: Database): Promise<[Uint8Array, Uint8Array]> => (await all(level.iterator(INPUTS)))[0]!;

interface Case {
  readonly name: string;
  /** Beside it: the state of the commit before, and that of the last commit before it was amended. */
  tamper(level: Database, earlier: Database, notAmended: Database): Promise<void>;
  /** What `open` says; else reading, and `check`, find it. */
  readonly opening?: RegExp;
  readonly reading?: RegExp;
  readonly checking?: RegExp;
}

const CASES: Case[] = [
  { name: 'the head is gone', tamper: (level) => del(level, HEAD_KEY), opening: /the record of the last commit is missing/ },
  {
    name: 'the head is of another format',
    tamper: (level) => put(level, HEAD_KEY, encodeRecord(seals, HEAD_KEY, { format: 1 }).bytes),
    opening: /it has format 1, of another version of etl-stream, and this one reads format 2/,
  },
  { name: 'the head is not sealed', tamper: (level) => put(level, HEAD_KEY, Buffer.from('{}')), opening: /the record of the last commit is not what was written/ },
  {
    name: 'the head is another record',
    tamper: async (level) => put(level, HEAD_KEY, (await level.get(commitKey(1)))!),
    opening: /the record of the last commit is not what was written/,
  },
  {
    name: 'the head is an earlier one',
    tamper: (level, earlier) => restore(level, earlier, [HEAD_KEY]),
    opening: /the index of pages is not that of commit 1/,
  },
  {
    name: 'the head is of before the last commit was amended',
    tamper: (level, _, notAmended) => restore(level, notAmended, [HEAD_KEY]),
    opening: /the index of pages is not that of commit 2/,
  },
  {
    name: 'the index is of before the last commit was amended',
    tamper: (level, _, notAmended) => restore(level, notAmended, [INDEX_KEY]),
    opening: /the index of pages is not that of commit 2/,
  },
  { name: 'the index is gone', tamper: (level) => del(level, INDEX_KEY), opening: /the index of pages is not that of commit 2/ },
  {
    name: 'the index has another bit',
    tamper: async (level) => put(level, INDEX_KEY, (await level.get(INDEX_KEY))!.map((byte, at) => (at === 20 ? byte ^ 1 : byte))),
    opening: /the index of pages is not that of commit 2/,
  },
  { name: 'the index is empty', tamper: async (level) => put(level, INDEX_KEY, seals.seal(INDEX_KEY, new Uint8Array(0)).bytes), opening: /the index of pages is not that of commit 2/ },
  {
    name: 'head and index are earlier ones',
    tamper: (level, earlier) => restore(level, earlier, [HEAD_KEY, INDEX_KEY]),
    opening: /said to be number 1, and there is something of a later one/,
  },
  {
    name: 'head, index and records of commits are earlier ones, inputs are newer',
    tamper: async (level, earlier) => {
      await restore(level, earlier, [HEAD_KEY, INDEX_KEY]);
      await del(level, commitKey(2));
    },
    opening: /records of \d+ inputs and should have \d+|a record of an input is not the last one that was written/,
  },
  { name: 'the last commit has no record', tamper: (level) => del(level, commitKey(2)), opening: /the record of commit 2 is missing/ },
  { name: 'the last commit has the record of another one', tamper: async (level) => put(level, commitKey(2), (await level.get(commitKey(1)))!), opening: /the record of commit 2 is not what was written/ },
  { name: 'a commit has no record', tamper: (level) => del(level, commitKey(1)), reading: /the record of commit 1 is missing/, checking: /The record of commit 1 is not found/ },
  {
    name: 'a commit has the record of another one',
    tamper: async (level) => put(level, commitKey(1), (await level.get(commitKey(2)))!),
    reading: /the record of a commit is not what was written/,
    checking: /The record of commit 1 is damaged/,
  },
  { name: 'an input has no record', tamper: async (level) => del(level, (await firstInput(level))[0]), opening: /records of \d+ inputs and should have \d+/ },
  {
    name: 'an input is there that no commit has read',
    tamper: (level) => put(level, inputKey('/x'), encodeRecord(seals, inputKey('/x'), { path: '/x' }).bytes),
    opening: /records of \d+ inputs and should have \d+/,
  },
  {
    name: 'an input has the record of another one',
    tamper: async (level) => put(level, (await firstInput(level))[0], (await all(level.iterator(INPUTS)))[1]![1]),
    opening: /a record of an input is not what was written/,
  },
  {
    name: 'an input has an earlier record',
    tamper: async (level) => {
      const [key] = await firstInput(level);
      await put(level, key, encodeRecord(seals, key, { path: 'as it was before' }).bytes);
    },
    opening: /a record of an input is not the last one that was written/,
  },
  { name: 'a key is not ours', tamper: (level) => put(level, Buffer.from('page/'), Uint8Array.of(1)), checking: /the unknown key "page\/"/ },
];

for (const { name, tamper, opening, reading, checking } of CASES) {
  test(name, async (t) => {
    const parent = temporaryFolder(t);
    const folder = join(parent, 'state');
    const series = new Series({ seed: 5 });
    for (let writes = 1; writes <= 3; writes++) {
      const state = await State.open(folder, { create: true });
      await series.write(state);
      await state.close();
      cpSync(folder, join(parent, String(writes)), { recursive: true });
    }
    const levels = await Promise.all([folder, join(parent, '1'), join(parent, '2')].map((path) => openLevel(join(path, 'level'))));
    await tamper(...levels as [Database, Database, Database]);
    await Promise.all(levels.map((level) => level.close()));
    if (opening) {
      await assert.rejects(State.open(folder), { code: 'ETL_STATE_DAMAGED', message: opening, hint: /etl-stream state check.*--overwrite/ });
      return;
    }
    const state = await State.open(folder);
    if (reading) await assert.rejects(contentsOf(state), { code: 'ETL_STATE_DAMAGED', message: reading });
    else assert.deepEqual(await contentsOf(state), series.contents);
    assert.match((await state.check()).join('\n'), checking!);
    await state.close();
  });
}
