/** Pages in files, and the index that says which there are: what was written is read, by whichever thread; what is damaged is told. */
import assert from 'node:assert/strict';
import fs, { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FiledHistory } from '../../lib/dedup/filed-history.ts';
import { IdFileReader } from '../../lib/dedup/id-file-reader.ts';
import { IdFileWriter, idFileName, isIdFileName, PART_BITS, type PagePlace } from '../../lib/dedup/id-files.ts';
import type { IdHistory } from '../../lib/dedup/history.ts';
import { IdStore } from '../../lib/dedup/id-store.ts';
import { PageIndex, type NewPage, type PageRef } from '../../lib/dedup/page-index.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';

/** Bytes that look like a page as far as files go: a checksum, and how many ids. */
function pageOf(next: () => number, ids = 1 + Math.floor(next() * 1000)): Uint8Array {
  const page = new Uint8Array(16 + Math.floor(next() ** 4 * 150_000));
  for (let at = 0; at < page.length; at++) page[at] = Math.floor(next() * 256);
  new DataView(page.buffer).setUint32(8, ids, true);
  return page;
}

/** All pages of a history, by slice, in hexadecimal. */
function contents(history: IdHistory): Record<number, string[]> {
  const found: Record<number, string[]> = {};
  for (const { slice, bytes, read } of history.pages(0, 1023)) {
    const target = new Uint8Array(bytes + 5).fill(7);
    read(target);
    assert.ok(target.subarray(bytes).every((byte) => byte === 7), 'nothing behind the page is written');
    (found[slice] ??= []).push(Buffer.from(target.subarray(0, bytes)).toString('hex'));
  }
  return found;
}

test('commit after commit, from several threads or one: the pages of all of them, in files of parts', async (context) => {
  const folder = temporaryFolder(context);
  const next = random(3);
  const expected: Record<number, string[]> = {};
  let index = PageIndex.empty;
  let ids = 0;
  for (let commit = 1; commit <= 12; commit++) {
    const partBits = commit % 3 === 0 ? PART_BITS.one : PART_BITS.many;
    const store = new IdStore({ folder, index, commit, partBits });
    assert.equal(store.ids, ids);
    const threads = commit % 2 === 0 ? [store] : [FiledHistory.of(structuredClone(store.handOver())), FiledHistory.of(structuredClone(store.handOver()))];
    for (let n = 0; n < 60; n++) {
      const slice = Math.floor(next() * 40) * 26;
      const page = pageOf(next);
      threads[Math.floor(next() * threads.length)]!.add(slice, page);
      (expected[slice] ??= []).push(Buffer.from(page).toString('hex'));
      ids += new DataView(page.buffer).getUint32(8, true);
      page.fill(0);
    }
    for (const thread of threads) {
      if (thread instanceof IdStore) continue;
      store.takeFrom(thread.takeAdded());
      assert.deepEqual(thread.takeAdded(), []);
      thread.close();
    }
    await store.sync();
    const addedBytes = store.addedBytes();
    const after = PageIndex.decode(store.next().encoded.slice())!;
    assert.equal(after.edition, index.edition + 1);
    assert.equal(Array.from(after.all()).reduce((sum, page) => sum + page.bytes, 0), Array.from(index.all()).reduce((sum, page) => sum + page.bytes, addedBytes));
    const files = readdirSync(folder).filter((name) => name.startsWith(`ids-${after.edition}-`));
    assert.equal(files.length, 1 << partBits);
    assert.equal(files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0), addedBytes, 'without gaps');
    store.close({ committed: true });
    store.close({ committed: true });
    index = after;
    const again = new IdStore({ folder, index, commit: commit + 1, partBits });
    const found = contents(again);
    for (const slice of Object.keys(found)) assert.deepEqual(found[Number(slice)]!.sort(), expected[Number(slice)]!.toSorted(), `slice ${slice}`);
    assert.deepEqual(Object.keys(found), Object.keys(expected));
    again.close({ committed: false });
  }
  assert.deepEqual(new Set(readdirSync(folder)), new Set(Array.from(index.all(), idFileName)));
  assert.ok(readdirSync(folder).every(isIdFileName));
});

test('of a run that commits nothing no file is left; what was there stays', async (context) => {
  const folder = temporaryFolder(context);
  const next = random(4);
  const first = new IdStore({ folder, index: PageIndex.empty, commit: 1, partBits: PART_BITS.many });
  first.add(1000, pageOf(next));
  const index = first.next();
  first.close({ committed: true });
  assert.throws(() => [first.add(2, pageOf(next)), first.next()], { code: 'ETL_INTERNAL', message: /after its files were closed/ });
  const before = readdirSync(folder);
  const second = new IdStore({ folder, index, commit: 2, partBits: PART_BITS.many });
  second.handOver();
  second.add(3, pageOf(next));
  assert.equal(readdirSync(folder).length, 9);
  second.close({ committed: false });
  assert.deepEqual(readdirSync(folder), before);
});

test('what is forgotten is not read, and not of the next index', (context) => {
  const folder = temporaryFolder(context);
  const next = random(5);
  const first = new IdStore({ folder, index: PageIndex.empty, commit: 1, partBits: PART_BITS.one });
  for (const slice of [5, 5, 6]) first.add(slice, pageOf(next, 10));
  const index = first.next();
  first.close({ committed: true });
  const forgotten = new Set([index.of(5)[0]!.entry]);
  const second = new IdStore({ folder, index: index.with([], forgotten), commit: 2, partBits: PART_BITS.one });
  assert.equal(second.ids, 20);
  assert.deepEqual([contents(second)[5]!.length, contents(FiledHistory.of(second.handOver()))[5]!.length], [1, 1]);
  second.add(5, pageOf(next, 1));
  assert.deepEqual(Array.from(second.next().all(), ({ slice, ids }) => [slice, ids]), [[5, 10], [5, 1], [6, 10]]);
  second.close({ committed: false });
});

test('an index is its bytes, whatever is added and removed', () => {
  const next = random(6);
  const below = (limit: number): number => Math.floor(next() * limit);
  let index = PageIndex.empty;
  let model: NewPage[] = [];
  for (let round = 1; round <= 30; round++) {
    const removed = new Set(Array.from(index.all()).filter(() => next() < 0.3).map(({ entry }) => entry));
    const added = Array.from({ length: below(40) }, (): NewPage => ({
      slice: [0, 1, 511, 1023, below(1024)][below(5)]!, part: below(8), edition: round, at: below(2 ** 45), bytes: below(2 ** 20), ids: below(65536),
      seal: BigInt(below(2 ** 32)) << 32n, oldest: 1 + below(round), newest: round,
    }));
    const kept = Array.from(index.all()).filter(({ entry }) => !removed.has(entry)).map(withoutEntry);
    model = [...kept, ...added].sort((a, b) => a.slice - b.slice);
    index = PageIndex.decode(index.with(added, removed).encoded.slice())!;
    assert.equal(index.edition, round);
    for (const view of [index, index.shared()]) {
      assert.deepEqual(Array.from(view.all(), withoutEntry), model);
      for (const slice of [0, 1, 2, 511, 1023]) assert.deepEqual(view.of(slice).map(withoutEntry), model.filter((page) => page.slice === slice));
      assert.deepEqual(Array.from(view.from(1, 511), withoutEntry), model.filter(({ slice }) => slice >= 1 && slice <= 511));
      const files = view.files().map(idFileName).sort();
      assert.deepEqual(files, [...new Set(model.map(idFileName))].sort());
      assert.deepEqual([view.pages, view.ids], [model.length, model.reduce((sum, { ids }) => sum + ids, 0)]);
    }
  }
});

function withoutEntry({ entry: _, ...page }: PageRef): NewPage {
  return page;
}

test('bytes that are no index are none', () => {
  const { encoded } = PageIndex.empty.with([1, 5].map((slice): NewPage => ({ slice, part: 0, edition: 1, at: 0, bytes: 1, ids: 1, seal: 0n, oldest: 1, newest: 1 })), new Set());
  assert.equal(PageIndex.decode(encoded)!.pages, 2);
  const damages: ((bytes: Uint8Array) => Uint8Array)[] = [
    () => new Uint8Array(0), (bytes) => bytes.subarray(0, -1), (bytes) => bytes.with(4, 9), (bytes) => bytes.with(8, 6), (bytes) => bytes.with(49, 4),
  ];
  for (const [number, damage] of damages.entries()) assert.equal(PageIndex.decode(damage(encoded.slice())), undefined, `${number}`);
});

/** A state's folder with a page of slice 7 in one file. */
function onePage(context: TestContext) {
  const folder = temporaryFolder(context);
  const page = pageOf(random(8));
  const store = new IdStore({ folder, index: PageIndex.empty, commit: 1, partBits: PART_BITS.one });
  store.add(7, page);
  const ref = store.next().of(7)[0]!;
  store.close({ committed: true });
  return { folder, page, ref, path: join(folder, idFileName(ref)) };
}

test('a page that is not there as it was written is a damage that names the file', (context) => {
  const { folder, page, ref, path } = onePage(context);
  const read = (changed: Partial<PageRef> = {}): Uint8Array => {
    const reader = new IdFileReader(folder);
    try {
      const target = new Uint8Array(ref.bytes);
      reader.read({ ...ref, ...changed }, target);
      return target;
    } finally {
      reader.close();
    }
  };
  assert.deepEqual(read(), page);
  assert.throws(() => read({ edition: 9 }), { code: 'ETL_STATE_DAMAGED', message: /ids-9-0\.pages.*it is missing/, hint: /--overwrite/ });
  assert.throws(() => read({ at: 1 }), { code: 'ETL_STATE_DAMAGED', message: /ids-1-0\.pages.*it ends at byte \d+/ });
  assert.throws(() => read({ seal: ref.seal ^ 1n }), { code: 'ETL_STATE_DAMAGED', message: /the page at byte 0 is not the one/ });
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.with(7, bytes[7]! ^ 128));
  assert.throws(() => read(), { code: 'ETL_STATE_DAMAGED', message: /the page at byte 0 is not the one/ });
  truncateSync(path, 3);
  assert.throws(() => read(), { code: 'ETL_STATE_DAMAGED', message: /it ends at byte 3/ });
});

test('reading and writing that fails says what and where; a page is written on when the system takes a part of it', async (context) => {
  const { folder, page, ref } = onePage(context);
  const failing = (name: 'openSync' | 'writeSync' | 'readSync' | 'closeSync', fail: (...args: never[]) => unknown): void => {
    context.mock.method(fs, name, fail as never);
  };
  const error = (code: string): never => {
    throw Object.assign(new Error(`${code}: made by a test`), { code });
  };
  const writer = (): IdFileWriter => new IdFileWriter({ folder, edition: 5, partBits: PART_BITS.many });
  failing('openSync', () => error('EMFILE'));
  assert.throws(() => writer().handOver(), { code: 'ETL_STATE_WRITE', message: /ids-5-0\.pages: EMFILE/ });
  assert.throws(() => new IdFileReader(folder).read(ref, new Uint8Array(ref.bytes)), { code: 'ETL_STATE_READ', message: /ids-1-0\.pages: EMFILE/, hint: /ulimit/ });
  context.mock.restoreAll();

  const full = writer();
  failing('writeSync', () => error('ENOSPC'));
  const append = (to: IdFileWriter, slice: number): PagePlace | undefined => {
    let place: PagePlace | undefined;
    to.append(slice, page, 0, (told) => (place = told));
    to.flush();
    return place;
  };
  assert.throws(() => append(full, 900), { code: 'ETL_STATE_WRITE', message: /ids-5-7\.pages: ENOSPC/, hint: /Free some space/ });
  context.mock.restoreAll();
  failing('writeSync', () => 0);
  assert.throws(() => full.flush(), { code: 'ETL_STATE_WRITE', message: /takes no more bytes/ });
  context.mock.restoreAll();
  full.close({ removes: true });

  const { writeSync, readSync } = fs;
  const parts = writer();
  failing('writeSync', ((fd: number, bytes: Uint8Array, from: number, length: number, at: number) => writeSync(fd, bytes, from, Math.min(length, 100), at)) as never);
  const place = append(parts, 0)!;
  context.mock.restoreAll();
  failing('readSync', ((fd: number, bytes: Uint8Array, from: number, length: number, at: number) => readSync(fd, bytes, from, Math.min(length, 77), at)) as never);
  const target = new Uint8Array(page.length);
  new IdFileReader(folder).read({ ...ref, ...place }, target);
  assert.deepEqual(target, page);
  failing('readSync', () => error('EIO'));
  assert.throws(() => new IdFileReader(folder).read(ref, target), { code: 'ETL_STATE_READ', message: /EIO/ });
  context.mock.restoreAll();
  const { closeSync } = fs;
  failing('closeSync', ((fd: number) => [closeSync(fd), error('EIO')]) as never);
  const read = new IdFileReader(folder);
  read.read(ref, target);
  read.close(); // nothing is lost
  assert.throws(() => parts.close({ removes: true }), { code: 'ETL_STATE_WRITE', message: /ids-5-0\.pages: EIO/ });
  context.mock.restoreAll();
  assert.deepEqual(readdirSync(folder), ['ids-1-0.pages', 'ids-5-0.pages']);
});
