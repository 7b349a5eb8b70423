import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HashRange } from '../../lib/core/stage.ts';
import { SLOT_BYTES, TABLE_BYTES, TABLE_FACTOR0, TABLE_FACTOR1, TABLE_HAS_ZERO } from '../../lib/kernels/dedup-layout.ts';
import {
  ID_BYTES, ID_PAGE_BYTES_MOST, ID_PAGE_MOST, ID_SCRATCH_BYTES, ID_SLICES, LOADING_BYTES, LOADING_HI_FROM, LOADING_HI_TO,
  LOADING_LO_FROM, LOADING_LO_TO, LOADING_PAGE,
} from '../../lib/kernels/id-page-layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createDedupTwin, type DedupKernel } from '../../lib/kernels/twins/dedup.ts';
import { createIdPageTwin, idPageBytes, type IdPageKernel } from '../../lib/kernels/twins/id-pages.ts';
import { random } from '../random.ts';
import { checksumOf, idFamilies, readIdPage, type Id } from './id-page-reader.ts';
import { ANY } from './key-set-conformance.ts';

type Kernel = DedupKernel & IdPageKernel;
const kernels: [string, (memory: LinearMemory) => Promise<Kernel>][] = [
  ['WASM', (memory) => loadKernel<Kernel>('dedup', memory)],
  ['twin', async (memory) => ({ ...createDedupTwin(memory), ...createIdPageTwin(memory) })],
];

/** A memory with room for all that the kernel needs, and the functions on it by their values. */
async function setUp(create: (memory: LinearMemory) => Promise<Kernel>) {
  const memory = new LinearMemory();
  const kernel = await create(memory);
  const idsAt = memory.slab(ID_BYTES * (ID_PAGE_MOST + 1), 'ids');
  const pageAt = memory.slab(ID_PAGE_BYTES_MOST + 8, 'page');
  const scratch = memory.slab(ID_SCRATCH_BYTES, 'scratch');
  const loadingAt = memory.slab(LOADING_BYTES, 'loading');
  const tableAt = memory.slab(TABLE_BYTES, 'table');
  const slots = memory.slab(SLOT_BYTES * 2 ** 17, 'slots');
  const write = (ids: readonly Id[]): void => {
    memory.bytes(idsAt, ID_BYTES * ids.length).set(new Uint8Array(BigUint64Array.from(ids.flat()).buffer));
  };
  const read = (at: number, count: number): Id[] => {
    const words = new BigUint64Array(memory.bytes(at, ID_BYTES * count).slice().buffer);
    return Array.from({ length: count }, (_, i) => [words[2 * i]!, words[2 * i + 1]!]);
  };
  return {
    memory, kernel, pageAt, write,
    pack(ids: readonly Id[]): Uint8Array {
      write(ids);
      const guard = memory.bytes(pageAt + idPageBytes(ids.length), 8).fill(0xab);
      const length = kernel.packIds(idsAt, ids.length, pageAt, scratch);
      assert.equal(length, idPageBytes(ids.length));
      assert.ok(guard.every((byte) => byte === 0xab), 'nothing is written behind the page');
      return memory.bytes(pageAt, length).slice();
    },
    split(ids: readonly Id[]): { ids: Id[]; ends: number[] } {
      write(ids);
      kernel.splitIds(idsAt, ids.length, scratch);
      return { ids: read(idsAt, ids.length), ends: [...memory.u32(scratch, ID_SLICES)].map((end) => (end - idsAt) / ID_BYTES) };
    },
    /** The ids of a page in memory, in its order. */
    unpack(at: number, count: number): Id[] {
      const guard = memory.bytes(idsAt + ID_BYTES * count, 8).fill(0xcd);
      assert.equal(kernel.unpackIds(at, idsAt), count);
      assert.ok(guard.every((byte) => byte === 0xcd), 'nothing is written behind the ids');
      return read(idsAt, count);
    },
    /** The ids that a page adds to an empty table, and how often that was full. */
    load(at: number, { lo, hi }: HashRange = ANY): { ids: Set<string>; full: number } {
      const table = memory.view(tableAt, TABLE_BYTES);
      table.setBigUint64(TABLE_FACTOR0, 0x9e3779b97f4a7c15n, true);
      table.setBigUint64(TABLE_FACTOR1, 0xd6e8feb86659fd93n, true);
      let bits = 10;
      kernel.clearTable(tableAt, slots, bits);
      const loading = memory.view(loadingAt, LOADING_BYTES);
      memory.bytes(loadingAt, LOADING_BYTES).fill(0);
      loading.setUint32(LOADING_PAGE, at, true);
      loading.setBigUint64(LOADING_LO_FROM, lo[0], true);
      loading.setBigUint64(LOADING_LO_TO, lo[1], true);
      loading.setBigUint64(LOADING_HI_FROM, hi[0], true);
      loading.setBigUint64(LOADING_HI_TO, hi[1], true);
      for (; kernel.loadIds(tableAt, loadingAt) === 0; bits++) kernel.growTable(tableAt);
      const ids = read(slots, 2 ** bits).filter(([a, b]) => (a | b) !== 0n).map(String);
      if (table.getUint32(TABLE_HAS_ZERO, true) === 1) ids.push('0,0');
      const set = new Set(ids);
      assert.equal(set.size, ids.length, 'no id twice');
      return { ids: set, full: bits - 10 };
    },
  };
}

/** In order of their buckets, else as they came. */
function byBucket(ids: readonly Id[]): Id[] {
  const shift = ids.length <= 2048 ? 48n : 40n;
  return ids.toSorted(([a], [b]) => Number((a >> shift) - (b >> shift)));
}

for (const [name, create] of kernels) {
  test(`${name}: a page holds what was packed, whatever the ids, and gives it back`, async () => {
    const { kernel, pack, load, unpack, pageAt } = await setUp(create);
    for (const count of [1, 2, 31, 33, 117, 2047, 2048, 2049, 20000, ID_PAGE_MOST]) {
      for (const slice of count < 2050 ? [0, 1, 1023] : [0]) {
        for (const [family, ids] of Object.entries(idFamilies(slice, count))) {
          if (name === 'twin' && count > 2049 && family !== 'random' && family !== 'equal lo') continue;
          const what = `${count} ids of slice ${slice}, ${family}`;
          const page = pack(ids);
          assert.deepEqual(readIdPage(page), { slice, ids: byBucket(ids) }, what);
          assert.equal(kernel.isIdPage(pageAt, page.length, slice), 1, what);
          assert.equal(kernel.isIdPage(pageAt, page.length, slice ^ 1), 0, what);
          assert.deepEqual(unpack(pageAt, count), byBucket(ids), what);
          const loaded = load(pageAt);
          assert.deepEqual(loaded.ids, new Set(ids.map(String)), what);
          assert.equal(loaded.full > 0, count > 700, what);
        }
      }
    }
    assert.equal(idPageBytes(ID_PAGE_MOST), ID_PAGE_BYTES_MOST);
  });

  test(`${name}: the id of zeros is in a page like any other`, async () => {
    const { pack, load, pageAt } = await setUp(create);
    for (const ids of [[[0n, 0n]], [[1n, 0n], [0n, 0n], [0n, 1n]]] satisfies Id[][]) {
      pack(ids);
      assert.deepEqual(load(pageAt).ids, new Set(ids.map(String)));
    }
  });

  test(`${name}: only ids in the range are loaded, its bounds included`, async () => {
    const { pack, load, pageAt } = await setUp(create);
    const next = random(6);
    const ids = Array.from({ length: 3000 }, (_, i): Id => [(3n << 54n) | BigInt(Math.floor(next() * 60)) << 47n | BigInt(i % 50), BigInt(i)]);
    pack(ids);
    const bound = (half: 0 | 1): readonly [bigint, bigint] => {
      const [a, b] = [ids[Math.floor(next() * 3000)]![half], ids[Math.floor(next() * 3000)]![half]];
      return a < b ? [a, b] : [b, a];
    };
    for (let round = 0; round < 40; round++) {
      const range = { lo: round % 3 === 0 ? ANY.lo : bound(0), hi: round % 3 === 1 ? ANY.hi : bound(1) };
      const wanted = ids.filter(([lo, hi]) => lo >= range.lo[0] && lo <= range.lo[1] && hi >= range.hi[0] && hi <= range.hi[1]);
      assert.deepEqual(load(pageAt, range).ids, new Set(wanted.map(String)), `round ${round}`);
    }
    const [lo, hi] = ids[1234]!;
    assert.deepEqual(load(pageAt, { lo: [lo, lo], hi: [hi, hi] }).ids, new Set([ids[1234]!.join()]));
    assert.equal(load(pageAt, { lo: [0n, (3n << 54n) - 1n], hi: ANY.hi }).ids.size, 0);
  });

  test(`${name}: a page with any bit changed, cut off or lengthened is no page`, async () => {
    const { memory, kernel, pack } = await setUp(create);
    for (const count of [1, 11]) {
      const page = pack(idFamilies(9, count)['random']!);
      const isPage = (bytes: Uint8Array): boolean => {
        const at = memory.memory.buffer.byteLength - bytes.length; // nothing can be read behind it
        memory.bytes(at, bytes.length).set(bytes);
        return kernel.isIdPage(at, bytes.length, 9) === 1;
      };
      assert.ok(isPage(page));
      for (let bit = 0; bit < 8 * page.length; bit++) {
        const changed = page.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        assert.ok(!isPage(changed), `bit ${bit}`);
      }
      for (let length = 0; length < page.length; length++) assert.ok(!isPage(page.slice(0, length)), `${length} bytes`);
      for (let more = 1; more < 40; more++) assert.ok(!isPage(Uint8Array.from([...page, ...Array<number>(more).fill(0)])), `${more} bytes more`);
    }
  });

  test(`${name}: behind a checksum that is right, whatever is taken for a page can be loaded and unpacked`, async () => {
    const { memory, kernel, pack, load, unpack } = await setUp(create);
    const next = random(3);
    let taken = 0;
    for (const count of [1, 40, 2049]) {
      const page = pack(idFamilies(0, count)['random']!);
      const places = page.length < 1000 ? page.length : 200;
      for (let place = 8; place < places; place++) {
        const changed = place === 8 ? page.slice() : page.slice(0, 16 + Math.floor(next() ** 2 * page.length));
        for (let n = Math.ceil(next() * 3); n > 0; n--) changed[n > 1 ? 8 + Math.floor(next() * (changed.length - 8)) : place]! ^= 1 << Math.floor(next() * 8);
        for (const bytes of [changed, Uint8Array.from([...changed, ...page].slice(0, page.length))]) {
          new DataView(bytes.buffer).setBigUint64(0, checksumOf(bytes, 0), true);
          const at = memory.memory.buffer.byteLength - bytes.length;
          memory.bytes(at, bytes.length).set(bytes);
          if (kernel.isIdPage(at, bytes.length, 0) === 0) continue;
          taken++;
          const { ids } = load(at);
          assert.ok(ids.size >= 1 && ids.size <= count, `place ${place}: ${ids.size} ids of ${count}`);
          assert.ok([...ids].every((id) => BigInt(id.split(',')[0]!) < 1n << 54n), 'ids of the slice');
          assert.deepEqual(new Set(unpack(at, new DataView(bytes.buffer).getUint32(8, true)).map(String)), ids);
        }
      }
    }
    assert.ok(taken > 20, `${taken} pages`);
  });

  test(`${name}: an id behind the last bucket is no id, and nor is a bit of the last byte's rest`, async () => {
    const { memory, kernel, pack, pageAt } = await setUp(create);
    for (let bit = 0; bit < 72; bit++) {
      const page = pack([[5n << 54n, 1n]]);
      page[16]! = 0;
      page[16 + (bit >> 3)]! |= 1 << (bit & 7);
      new DataView(page.buffer).setBigUint64(0, checksumOf(page, 5), true);
      memory.bytes(pageAt, page.length).set(page);
      assert.equal(kernel.isIdPage(pageAt, page.length, 5), bit < 64 ? 1 : 0, `bit ${bit}`);
    }
  });

  test(`${name}: ids are split by slice, where they are`, async () => {
    const { split } = await setUp(create);
    const next = random(8);
    for (const [count, spread] of [[0, 1], [1, 1024], [5000, 1024], [5000, 3], [5000, 1], [700, 1024]] as const) {
      const slice = (i: number): number => Math.floor(next() * spread) ^ (i % 2 === 0 ? 0 : 1023);
      const ids = Array.from({ length: count }, (_, i): Id => [(BigInt(slice(i)) << 54n) | BigInt(i), 1n]);
      const { ids: moved, ends } = split(ids);
      const slices = moved.map(([lo]) => Number(lo >> 54n));
      assert.deepEqual(slices, slices.toSorted((a, b) => a - b));
      assert.deepEqual(new Set(moved.map(String)), new Set(ids.map(String)));
      assert.deepEqual(ends, Array.from({ length: ID_SLICES }, (_, slice) => slices.filter((s) => s <= slice).length));
    }
  });

  test(`${name}: ids are taken from their rows, wherever those begin`, async () => {
    const { memory, kernel } = await setUp(create);
    const area = memory.slab(4096, 'rows');
    const rows = [area + 64, area + 101, area + 3, area + 64];
    rows.forEach((row, i) => memory.bytes(row, 16).fill(i + 1));
    memory.u32(area + 1024, 4).set(rows);
    kernel.takeIds(area + 1024, 4, area + 2048);
    assert.deepEqual([...memory.bytes(area + 2048, 64)], rows.flatMap((row) => [...memory.bytes(row, 16)]));
  });
}

test('kernel and twin write the same pages, and split into the same order', async () => {
  const [wasm, twin] = await Promise.all(kernels.map(([, create]) => setUp(create)));
  for (const count of [1, 64, 2048, 2049, 9000]) {
    for (const [family, ids] of Object.entries(idFamilies(511, count))) {
      assert.ok(Buffer.from(wasm!.pack(ids)).equals(twin!.pack(ids)), `${count} ids, ${family}`);
      const spread = ids.map(([lo, hi], i): Id => [BigInt.asUintN(64, lo + (BigInt(i * 37) << 54n)), hi]);
      assert.deepEqual(wasm!.split(spread), twin!.split(spread), `${count} ids, ${family}`);
    }
  }
});
