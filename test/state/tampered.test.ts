/** Records that are gone, exchanged or too new, each by itself: what finds it, and when. */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLevel, type Database } from '../../lib/state/database.ts';
import { COMMITS, commitKey, HEAD_KEY, INDEX_KEY, INPUTS, pageKey, PAGES } from '../../lib/state/keys.ts';
import { encodeRecord } from '../../lib/state/records.ts';
import { Seals } from '../../lib/state/seal.ts';
import { State } from '../../lib/state/state.ts';
import { temporaryFolder } from '../temporary.ts';
import { all, contentsOf, Series } from './model.ts';

const seals = await Seals.load();

const put = (level: Database, key: Uint8Array, value: Uint8Array): Promise<void> => level.batch([{ type: 'put', key, value }], { sync: false });
const del = (level: Database, key: Uint8Array): Promise<void> => level.batch([{ type: 'del', key }], { sync: false });
const entry = async (level: Database, range: Parameters<Database['iterator']>[0], at: number): Promise<[Uint8Array, Uint8Array]> => (await all(level.iterator(range)))[at]!;

interface Case {
  readonly name: string;
  tamper(level: Database, earlier: Database): Promise<void>;
  /** What `open` says; else reading, and `check`, find it. */
  readonly opening?: RegExp;
  readonly reading?: RegExp;
  readonly checking?: RegExp;
}

const CASES: Case[] = [
  { name: 'the head is gone', tamper: (level) => del(level, HEAD_KEY), opening: /the record of the last commit is missing/ },
  {
    name: 'the head is of another format',
    tamper: (level) => put(level, HEAD_KEY, encodeRecord(seals, HEAD_KEY, { format: 2 }).bytes),
    opening: /it has format 2, of another version of etl-stream, and this one reads format 1/,
  },
  { name: 'the head is not sealed', tamper: (level) => put(level, HEAD_KEY, Buffer.from('{}')), opening: /the record of the last commit is not what was written/ },
  {
    name: 'the head is an earlier one',
    tamper: async (level, earlier) => put(level, HEAD_KEY, (await earlier.get(HEAD_KEY))!),
    opening: /the index of pages is not that of commit 2/,
  },
  {
    name: 'head and index are earlier ones',
    tamper: async (level, earlier) => {
      for (const key of [HEAD_KEY, INDEX_KEY]) await put(level, key, (await earlier.get(key))!);
    },
    opening: /said to be number 2, and there is something of a later one/,
  },
  {
    name: 'head, index and records are earlier ones, pages are newer',
    tamper: async (level, earlier) => {
      for (const key of [HEAD_KEY, INDEX_KEY]) await put(level, key, (await earlier.get(key))!);
      await level.clear({ gt: commitKey(2), lt: COMMITS.lt });
      await put(level, pageKey({ commit: 4, slice: 0, number: 0 }), Uint8Array.of(1));
    },
    opening: /said to be number 2, and there is something of a later one/,
  },
  { name: 'the last commit has no record', tamper: (level) => del(level, commitKey(3)), opening: /the record of commit 3 is missing/ },
  { name: 'a commit has no record', tamper: (level) => del(level, commitKey(2)), reading: /the record of commit 2 is missing/, checking: /The record of commit 2 is not found/ },
  {
    name: 'a commit has the record of another one',
    tamper: async (level) => put(level, commitKey(2), (await level.get(commitKey(1)))!),
    reading: /the record of a commit is not what was written/,
    checking: /The record of commit 2 is damaged/,
  },
  { name: 'an input has no record', tamper: async (level) => del(level, (await entry(level, INPUTS, 0))[0]), opening: /records of \d+ inputs and should have \d+/ },
  {
    name: 'an input has an earlier record',
    tamper: async (level) => {
      const [key] = await entry(level, INPUTS, 0);
      await put(level, key, encodeRecord(seals, key, { path: 'as it was before' }).bytes);
    },
    opening: /a record of an input is not the last one that was written/,
  },
  { name: 'a page is gone', tamper: async (level) => del(level, (await entry(level, PAGES, 3))[0]), reading: /a page of slice \d+ by commit 1 is missing/, checking: /by commit 1 is not found/ },
  {
    name: 'a page is another one',
    tamper: async (level) => put(level, (await entry(level, PAGES, 3))[0], (await entry(level, PAGES, 4))[1]),
    reading: /a page of slice \d+ by commit 1 is not what was written/,
    checking: /by commit 1 is damaged/,
  },
  { name: 'a page is there that no commit has', tamper: (level) => put(level, pageKey({ commit: 1, slice: 5, number: 99 }), Uint8Array.of(1)), checking: /a page of slice 5 by commit 1 that no commit has/ },
  { name: 'a key is not ours', tamper: (level) => put(level, Buffer.from('pagf/'), Uint8Array.of(1)), checking: /the unknown key "pagf\/"/ },
];

for (const { name, tamper, opening, reading, checking } of CASES) {
  test(name, async (t) => {
    const parent = temporaryFolder(t);
    const [folder, before] = [join(parent, 'state'), join(parent, 'before')];
    const series = new Series({ seed: 5 });
    for (let commit = 1; commit <= 3; commit++) {
      const state = await State.open(folder, { create: true });
      await series.commit(state);
      await state.close();
      if (commit === 2) cpSync(folder, before, { recursive: true });
    }
    const [level, earlier] = [await openLevel(join(folder, 'level')), await openLevel(join(before, 'level'))];
    await tamper(level, earlier);
    await level.close();
    await earlier.close();
    if (opening) {
      await assert.rejects(State.open(folder), { code: 'ETL_STATE_DAMAGED', message: opening, hint: /etl-stream state check.*--overwrite/ });
      return;
    }
    const state = await State.open(folder, { atLeast: 3 });
    if (reading) await assert.rejects(contentsOf(state), { code: 'ETL_STATE_DAMAGED', message: reading });
    else assert.deepEqual(await contentsOf(state), series.contents);
    assert.match((await state.check()).join('\n'), checking!);
    await state.close();
  });
}
