import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BATCH_USER_PTR, BATCH_ROWS, PAGE_BYTES, POOL_AT, POOL_FREE } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { STORE_FIRST, STORE_ROWS } from '../../lib/kernels/partition-layout.ts';
import { createPartitionTwin, type PartitionKernel } from '../../lib/kernels/twins/partition.ts';
import { readFields } from '../../lib/kernels/twins/row.ts';
import { setUserPrefix } from '../../lib/kernels/user-prefix.ts';
import { random } from '../random.ts';
import { BatchWriter, type BatchRow } from './batches.ts';
import { readChain, type StoredRow } from './pages.ts';
import { newStore, STORE_BYTES } from './stores.ts';

const kernels: [string, (memory: LinearMemory) => Promise<PartitionKernel>][] = [
  ['WASM', (memory) => loadKernel<PartitionKernel>('partition', memory)],
  ['twin', async (memory) => createPartitionTwin(memory)],
];

const PARTITIONS = 1024;
const borderValues = [
  0n, 1n, -1n, ...[18n, 24n, 31n, 32n, 40n, 50n, 63n].flatMap((bits) => [2n ** bits - 2n, 2n ** bits - 1n, 2n ** bits, -(2n ** bits)]),
].map((value) => BigInt.asIntN(64, value));
const borderRegions = [0, 1, 254, 255, 256, 257, 2 ** 14, 2 ** 20 - 2, 2 ** 20 - 1];
const borderLengths = [0, 1, 15, 16, 17, 31, 32, 33, 61, 62, 63, 64, 127, 128, 255, 8191, 8192];

const prefixes = ['', 'u', 'user_', 'https://a.io/u/1', '\0', '日'].map((text) => Buffer.from(text)).concat(Buffer.from('日本').subarray(0, 4));

/** Users shorter than the prefix, equal to it, with rests of all lengths, and with others before the same rests. */
function usersAround(prefix: Uint8Array): Buffer[] {
  const rests = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 46, 47, 61, 62, 63, 64, 100].map((length) => Buffer.alloc(length, 'rest'));
  const flipped = Array.from(prefix, (_, at) => Buffer.from(prefix.map((byte, i) => (i === at ? byte ^ 0x80 : byte))));
  const shorter = Array.from(prefix, (_, length) => Buffer.from(prefix.subarray(0, length)));
  return [...shorter, ...[Buffer.from(prefix), ...flipped].flatMap((begin) => rests.map((rest) => Buffer.concat([begin, rest])))];
}

interface Piece {
  readonly rows: readonly BatchRow[];
  readonly block: number;
  readonly input: number;
}

/** A store fed page by page: the pool is empty whenever a page is wanted, and a canary follows each page. */
class Fixture {
  readonly memory = new LinearMemory();
  readonly store: number;
  readonly canaries: number[] = [];
  readonly kernel: PartitionKernel;
  readonly #writer: BatchWriter;

  static async create(create: (memory: LinearMemory) => Promise<PartitionKernel>, prefix: Uint8Array = new Uint8Array(0)): Promise<Fixture> {
    const memory = new LinearMemory();
    setUserPrefix(memory, prefix);
    return new Fixture(memory, await create(memory));
  }

  constructor(memory: LinearMemory, kernel: PartitionKernel) {
    this.memory = memory;
    this.kernel = kernel;
    this.#writer = new BatchWriter(memory, 4 << 20);
    this.store = newStore(memory, { bits: 10, shift: 54 });
  }

  scatter({ rows, block, input }: Piece): void {
    this.#writer.write(rows);
    for (let from = 0; ; ) {
      const next = this.kernel.scatterBatch(this.store, this.#writer.ptr, from, rows.length, block, input);
      assert.ok(next >= from && next <= rows.length);
      if (next === rows.length) return;
      from = next;
      const page = this.memory.slab(2 * PAGE_BYTES, 'test page');
      this.memory.bytes(page, 2 * PAGE_BYTES).fill(0xee);
      // The pool's one free page.
      this.memory.u32(page, 1)[0] = 0;
      this.memory.u32(POOL_AT + POOL_FREE, 1)[0] = page;
      this.canaries.push(page + PAGE_BYTES);
    }
  }

  assertCanaries(seed: string): void {
    for (const canary of this.canaries) {
      assert.ok(this.memory.bytes(canary, PAGE_BYTES).every((byte) => byte === 0xee), `a page was left, ${seed}`);
    }
  }

  first(partition: number): number {
    return this.memory.u32(this.store + STORE_FIRST, PARTITIONS)[partition]!;
  }

  get rows(): number {
    return this.memory.u32(this.store + STORE_ROWS, 1)[0]!;
  }
}

const strip = ({ lo, hi, region, value, user, block, input }: Omit<StoredRow, 'at'>): unknown =>
  [lo, hi, region, value, block, input, Buffer.from(user).toString('latin1')];

/** Random pieces over a few partitions; `roomy` users fill pages fast. */
function randomPieces(seed: number, partitions: number, roomy: boolean): Piece[] {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const u64 = (): bigint => (BigInt(Math.floor(next() * 2 ** 32)) << 32n) | BigInt(Math.floor(next() * 2 ** 32));
  const places = Array.from({ length: partitions }, (_, i) => BigInt(i === 0 ? 0 : i === 1 ? 1023 : Math.floor(next() * 1024)));
  const pieces: Piece[] = [];
  for (const input of [0, 1, 2 ** 24 - 1]) {
    for (let block = 0; block < 4; block++) {
      // Block numbers repeat: two batches of one block go on with its segments.
      for (let part = 0; part < 2; part++) {
        const count = pick([0, 1, 7, 300, BATCH_ROWS]);
        const rows = Array.from({ length: roomy ? Math.min(count, 300) : count }, (): BatchRow => ({
          status: next() < 0.1 ? 1 + Math.floor(next() * 11) : 0,
          lo: (pick(places) << 54n) | (u64() >> 10n),
          hi: u64(),
          region: pick(next() < 0.5 ? [0, 1, 200] : borderRegions),
          value: next() < 0.5 ? BigInt(Math.floor(next() * 500)) : pick(borderValues),
          user: Uint8Array.from({ length: roomy ? pick(borderLengths) : Math.floor(next() * 40) }, () => next() * 256),
        }));
        pieces.push({ rows, block: block === 3 ? 2 ** 24 - 1 : block, input });
      }
    }
  }
  return pieces;
}

for (const [name, create] of kernels) {
  for (const [seed, partitions, roomy] of [[1, 3, false], [2, 3, true], [3, 1024, false], [4, 2, true], [5, 1, false]] as const) {
    test(`${name}: rows land in their partition, in order, from an always empty pool (seed ${seed})`, async () => {
      const fixture = await Fixture.create(create);
      const expected = new Map<number, unknown[]>();
      for (const piece of randomPieces(seed, partitions, roomy)) {
        fixture.scatter(piece);
        for (const { status, lo = 0n, hi = 0n, region = 0, value = 0n, user = new Uint8Array(0) } of piece.rows) {
          if (status) continue;
          const partition = Number(lo >> 54n);
          if (!expected.has(partition)) expected.set(partition, []);
          expected.get(partition)!.push(strip({ lo, hi, region, value, user, block: piece.block, input: piece.input }));
        }
      }
      fixture.kernel.sealStore(fixture.store);

      let pages = 0;
      let stored = 0;
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const chain = readChain(fixture.memory, fixture.first(partition));
        const rows = expected.get(partition) ?? [];
        assert.deepEqual(chain.rows.map(strip), rows, `partition ${partition}, seed ${seed}`);
        pages += chain.pages.length;
        stored += rows.length;
      }
      assert.equal(fixture.rows, stored, `row count, seed ${seed}`);
      fixture.assertCanaries(`seed ${seed}`);
      assert.equal(fixture.canaries.length, pages, 'every page was asked for on its own');
      assert.equal(fixture.memory.pagesInUse, pages);
      assert.ok(partitions === 1024 || pages > 3 * partitions, `pages rolled over (${pages}), seed ${seed}`);

      for (let partition = 0; partition < PARTITIONS; partition++) fixture.kernel.giveChain(fixture.first(partition));
      assert.equal(fixture.memory.pagesInUse, 0);
      for (let page = 0; page < pages; page++) assert.notEqual(fixture.memory.takePageIfAny(), 0, 'every page is free again');
      assert.equal(fixture.memory.takePageIfAny(), 0);
    });
  }

  test(`${name}: rows at the borders of their three forms come back, each in the shortest`, async () => {
    const fixture = await Fixture.create(create);
    const lengths = borderLengths.filter((length) => length < 1000);
    const rows = borderValues.flatMap((value) => borderRegions.flatMap((region) => lengths.map((length) => (
      { lo: 5n << 54n, hi: BigInt(length), value, region, user: new Uint8Array(length).fill(length) }
    ))));
    for (let from = 0; from < rows.length; from += BATCH_ROWS) {
      fixture.scatter({ rows: rows.slice(from, from + BATCH_ROWS), block: 1, input: 2 });
    }
    fixture.kernel.sealStore(fixture.store);
    const stored = readChain(fixture.memory, fixture.first(5)).rows; // checks the form
    assert.deepEqual(stored.map(strip), rows.map((row) => strip({ ...row, block: 1, input: 2 })));
    assert.deepEqual(stored.map(({ at }) => readFields(fixture.memory, at)).map(({ region, value, user }) => [region, value, user.length]),
      rows.map(({ region, value, user }) => [region, value, user.length]));
  });

  test(`${name}: of users that begin with the prefix only the rest is stored, if all of the row is small`, async () => {
    for (const prefix of prefixes) {
      const fixture = await Fixture.create(create, prefix);
      const users = usersAround(prefix);
      const rows = [0n, 2n ** 18n - 1n, 2n ** 18n, -1n].flatMap((value) => [255, 256].flatMap((region) => users.map((user, i) => (
        { lo: 5n << 54n, hi: BigInt(i), value, region, user }
      ))));
      for (let from = 0; from < rows.length; from += BATCH_ROWS) fixture.scatter({ rows: rows.slice(from, from + BATCH_ROWS), block: 1, input: 2 });
      fixture.kernel.sealStore(fixture.store);
      const what = `prefix ${Buffer.from(prefix).toString('latin1')}`;
      const stored = readChain(fixture.memory, fixture.first(5)).rows; // checks the form
      assert.deepEqual(stored.map(strip), rows.map((row) => strip({ ...row, block: 1, input: 2 })), what);
      assert.deepEqual(stored.map(({ at }) => readFields(fixture.memory, at)).map(({ user }) => [...user]), rows.map(({ user }) => [...user]), what);
      const compact = stored.filter(({ at }) => (fixture.memory.bytes(at + 16, 1)[0]! & 63) < 63).length;
      assert.ok(compact > 20 && compact < rows.length / 2, `${compact} compact rows, ${what}`);
      fixture.assertCanaries(what);
    }
  });

  test(`${name}: stored rows of every form are moved on as they are`, async () => {
    const fixture = await Fixture.create(create, Uint8Array.of(33));
    const rows = borderValues.flatMap((value) => [255, 256].flatMap((region) => borderLengths.map((length, i) => (
      { lo: BigInt(i) << 54n, hi: 3n << 60n, value, region, user: new Uint8Array(length).fill(length) }
    ))));
    fixture.scatter({ rows, block: 1, input: 2 });
    fixture.kernel.sealStore(fixture.store);
    const from = borderLengths.flatMap((_, partition) => readChain(fixture.memory, fixture.first(partition)).rows);
    assert.equal(from.length, rows.length);
    const list = fixture.memory.slab(4 * from.length, 'test list');
    fixture.memory.u32(list, from.length).set(from.map(({ at }) => at));
    const store = newStore(fixture.memory, { bits: 4, shift: 60, word: 8 });
    for (let done = 0; done < from.length; fixture.memory.refillPool()) done = fixture.kernel.scatterRows(store, list, from.length, done);
    fixture.kernel.sealStore(store);
    const moved = readChain(fixture.memory, fixture.memory.u32(store + STORE_FIRST, 16)[3]!).rows;
    assert.deepEqual(moved.map(strip), from.map((row) => strip({ ...row, block: 0, input: 0 })));
  });

  test(`${name}: rows that end just before, at and just past the end of a page`, async () => {
    // After page and segment header and one row of 8192 there are 16384 - 16 - 8216 bytes: this sweeps across that.
    for (let length = 8128 - 26; length <= 8128 + 4; length++) {
      const fixture = await Fixture.create(create);
      const rows = [8192, length, 3].map((size) => ({ lo: 9n, hi: 2n, value: 3n, user: new Uint8Array(size).fill(size) }));
      fixture.scatter({ rows, block: 0, input: 0 });
      fixture.kernel.sealStore(fixture.store);
      const chain = readChain(fixture.memory, fixture.first(0));
      assert.deepEqual(chain.rows.map(strip), rows.map((row) => strip({ ...row, region: 0, block: 0, input: 0 })));
      const segments = length > 8128 ? [1, 2] : length > 8128 - 23 ? [2, 1] : [3];
      assert.deepEqual(chain.segments, segments, `length ${length}`);
      fixture.assertCanaries(`length ${length}`);
    }
  });

  test(`${name}: a new segment that ends just before, at and just past the end of a page`, async () => {
    for (let room = 0; room <= 60; room++) {
      const fixture = await Fixture.create(create);
      const sizes = [8192, 16384 - 16 - 24 - 8192 - 24 - room, 3];
      const rows = sizes.map((size) => ({ lo: 9n, hi: 2n, value: 3n, user: new Uint8Array(size).fill(size) }));
      fixture.scatter({ rows: rows.slice(0, 2), block: 0, input: 0 });
      fixture.scatter({ rows: rows.slice(2), block: 1, input: 0 });
      fixture.kernel.sealStore(fixture.store);
      const chain = readChain(fixture.memory, fixture.first(0));
      assert.deepEqual(chain.rows.map(strip), rows.map((row, i) => strip({ ...row, region: 0, block: i >> 1, input: 0 })));
      assert.equal(chain.pages.length, room >= 8 + 20 + 3 ? 1 : 2, `${room} bytes left`);
      fixture.assertCanaries(`${room} bytes left`);
    }
  });

  test(`${name}: one block gives a partition one segment a page, another block a new one`, async () => {
    const fixture = await Fixture.create(create);
    // Used pages, linked to each other in the pool: none of that may show.
    const used = Array.from({ length: 20 }, () => fixture.memory.takePage());
    for (const page of used) {
      fixture.memory.bytes(page, PAGE_BYTES).fill(0xff);
      fixture.memory.givePage(page);
    }
    const row = { lo: 0n, hi: 1n };
    const rows = Array.from({ length: 2000 }, () => row);
    for (const [block, input] of [[0, 0], [0, 0], [1, 0], [1, 1]] as const) fixture.scatter({ rows, block, input });
    fixture.kernel.sealStore(fixture.store);
    const chain = readChain(fixture.memory, fixture.first(0));
    // 818 rows of 20 bytes fill a page of one segment but for 8 bytes: 8 + 8 + 818 * 20 = 16376.
    assert.equal(chain.segments[0], 818);
    assert.equal(chain.rows.length, 8000);
    assert.equal(chain.segments.length, chain.pages.length + 2);
  });

  test(`${name}: users at the very end of linear memory are copied without a byte past it`, async () => {
    const memory = new LinearMemory();
    const kernel = await create(memory);
    setUserPrefix(memory, Uint8Array.of(70, 71, 72, 73)); // one user has it
    const writer = new BatchWriter(memory, 1 << 16);
    const store = newStore(memory, { bits: 10, shift: 54 });
    memory.refillPool();
    const rows = Array.from({ length: 80 }, (_, length) => ({ lo: 1n, hi: BigInt(length), user: new Uint8Array(length) }));
    writer.write(rows);
    // Enlarge memory to a full WASM page, then let every user end there.
    while (memory.size < memory.memory.buffer.byteLength) memory.slab(PAGE_BYTES, 'filler');
    const end = memory.memory.buffer.byteLength;
    memory.bytes(end - 80, 80).set(Uint8Array.from({ length: 80 }, (_, i) => i));
    const pointers = memory.u32(writer.ptr + BATCH_USER_PTR, rows.length);
    rows.forEach((_, length) => { pointers[length] = end - length; });
    assert.equal(kernel.scatterBatch(store, writer.ptr, 0, rows.length, 0, 0), rows.length);
    kernel.sealStore(store);
    const chain = readChain(memory, memory.u32(store + STORE_FIRST, 1)[0]!);
    chain.rows.forEach(({ user }, length) => assert.deepEqual([...user], [...memory.bytes(end - length, length)]));
  });
}

test('kernel and twin write the same bytes, and can take turns on one store', async () => {
  const images: Buffer[] = [];
  for (const turn of [0, 1, 2]) {
    const memory = new LinearMemory();
    setUserPrefix(memory, Uint8Array.of(0xe3, 0x81));
    const both = [await loadKernel<PartitionKernel>('partition', memory), createPartitionTwin(memory)];
    let calls = 0;
    const kernel = (): PartitionKernel => both[turn === 2 ? calls++ % 2 : turn]!;
    const fixture = new Fixture(memory, {
      hashBatch: (...all) => kernel().hashBatch(...all),
      hashSpan: (...all) => kernel().hashSpan(...all),
      scatterBatch: (...all) => kernel().scatterBatch(...all),
      scatterRows: (...all) => kernel().scatterRows(...all),
      sealStore: (...all) => kernel().sealStore(...all),
      packChain: (...all) => kernel().packChain(...all),
      recyclePages: (...all) => kernel().recyclePages(...all),
      checkPages: (...all) => kernel().checkPages(...all),
      listSegments: (...all) => kernel().listSegments(...all),
      giveChain: (...all) => kernel().giveChain(...all),
    });
    for (const piece of randomPieces(6, 20, false)) fixture.scatter(piece);
    fixture.kernel.sealStore(fixture.store);
    const parts: Uint8Array[] = [memory.bytes(fixture.store, STORE_BYTES)];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const page of readChain(memory, fixture.first(partition)).pages) {
        parts.push(memory.bytes(page, memory.view(page, 8).getUint32(4, true)));
      }
    }
    images.push(Buffer.concat(parts));
  }
  assert.ok(images[0]!.equals(images[1]!), 'the twin writes what the kernel writes');
  assert.ok(images[0]!.equals(images[2]!), 'taking turns changes nothing');
});
