import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdTable } from '../../lib/dedup/id-table.ts';
import { MemoryKeySet } from '../../lib/dedup/memory-key-set.ts';
import { SLOT_BYTES, TABLE_BITS, TABLE_FACTOR0, TABLE_FACTOR1, TABLE_SLOTS } from '../../lib/kernels/dedup-layout.ts';
import { PAGE_BYTES } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createDedupTwin, type DedupKernel } from '../../lib/kernels/twins/dedup.ts';
import { random } from '../random.ts';
import { admitAll, AMPLE, chunkOf, keySetConformance, TIGHT } from './key-set-conformance.ts';

const wasm = (memory: LinearMemory): Promise<DedupKernel> => loadKernel<DedupKernel>('dedup', memory);
const kernels: [string, (memory: LinearMemory) => Promise<DedupKernel>][] = [
  ['WASM', wasm],
  ['twin', async (memory) => createDedupTwin(memory)],
];

for (const [name, kernel] of kernels) {
  keySetConformance(`MemoryKeySet, ${name}`, async (memory, maxBytes) => new MemoryKeySet({ memory, maxBytes, kernel: await kernel(memory) }));
}

type Id = readonly [bigint, bigint];
const ids = (length: number, id: (i: number) => Id): Id[] => Array.from({ length }, (_, i) => id(i));

/**
 * Of the ids in a table, how many slots past its home each stands, by the formula in dedup-layout.ts. Checks that each
 * is found: that no slot on the way is empty.
 */
function displacements(memory: LinearMemory, header: number): number[] {
  const table = memory.view(header, 64);
  const slots = 2 ** table.getUint32(TABLE_BITS, true);
  const f0 = table.getBigUint64(TABLE_FACTOR0, true);
  const f1 = table.getBigUint64(TABLE_FACTOR1, true);
  const view = memory.view(table.getUint32(TABLE_SLOTS, true), slots * SLOT_BYTES);
  const idIn = (slot: number): Id => [view.getBigUint64(slot * SLOT_BYTES, true), view.getBigUint64(slot * SLOT_BYTES + 8, true)];
  const isEmpty = (slot: number): boolean => idIn(slot).every((half) => half === 0n);
  const found: number[] = [];
  for (let slot = 0; slot < slots; slot++) {
    if (isEmpty(slot)) continue;
    const far = (home(idIn(slot), [f0, f1], slots) - slot + slots) % slots;
    for (let step = 1; step <= far; step++) assert.ok(!isEmpty((slot + step) % slots), `slot ${slot} of ${slots} cannot be reached`);
    found.push(far);
  }
  return found;
}

/** Where a table that was made last has its header: right behind its slots. */
function headerOf(memory: LinearMemory): number {
  return memory.size - PAGE_BYTES;
}

function home([lo, hi]: Id, [f0, f1]: readonly [bigint, bigint], slots: number): number {
  const h = BigInt.asUintN(64, lo * f0 + hi * f1);
  return Number(BigInt.asUintN(64, (h ^ (h >> 32n)) * f0) >> BigInt(64 - Math.log2(slots)));
}

for (const [name, create] of kernels) {
  test(`${name}: the table doubles with distinct ids, up to its bound, in one place`, async () => {
    const memory = new LinearMemory();
    const table = new IdTable({ memory, maxBytes: 2 ** 20, kernel: await create(memory) });
    const admit = (distinct: number, rows = distinct): { winners: number; deferred: number } => {
      const { chunk } = chunkOf(memory, ids(rows, (i) => [BigInt(i % distinct), 0n]), 1);
      const { winners, deferred } = admitAll(memory, table, chunk);
      return { winners: winners.length, deferred: deferred.length };
    };
    const slabs = memory.slabsInUse;
    assert.equal(table.slots, 1024);
    // 640, 5/8 of 1024 slots, make it full; the id of zeros takes none.
    admit(640);
    assert.deepEqual(admit(500, 5000), { winners: 0, deferred: 0 });
    assert.deepEqual([table.size, table.slots, table.doublings], [640, 1024, 0]);
    assert.deepEqual(admit(700), { winners: 60, deferred: 0 });
    assert.deepEqual([table.size, table.slots, table.doublings], [700, 2048, 1]);
    assert.deepEqual(admit(25000), { winners: 25000 - 700, deferred: 0 });
    assert.deepEqual([table.size, table.slots, table.doublings, table.full], [25000, 65536, 6, false]);
    const { winners, deferred } = admit(50000);
    assert.ok(table.full && table.size >= 40960 && table.size <= 40960 + 32, `${table.size} ids`);
    assert.deepEqual([winners, deferred], [table.size - 25000, 50000 - table.size]);
    assert.equal(memory.slabsInUse, slabs);
    table.close();
    assert.equal(memory.slabsInUse, 0);
  });

  test(`${name}: the next part starts at the size that the last one needed, and open`, async () => {
    const memory = new LinearMemory();
    const table = new IdTable({ memory, maxBytes: 2 ** 20, kernel: await create(memory) });
    const sizes: number[] = [];
    for (const distinct of [25000, 10, 10, 25000, 22000, 9000, 0, 50000, 100, 0]) {
      admitAll(memory, table, chunkOf(memory, ids(distinct, (i) => [BigInt(i), 1n]), 1).chunk);
      assert.equal(table.full, distinct === 50000);
      table.clear();
      assert.deepEqual([table.size, table.full], [0, false]);
      sizes.push(table.slots);
    }
    assert.deepEqual(sizes, [65536, 1024, 1024, 65536, 65536, 16384, 1024, 65536, 1024, 1024]);
    assert.ok(table.doublings > 12);
  });

  test(`${name}: a table can be doubled with its ids crowded about both ends, and keeps each`, async () => {
    const factors = [0x9e3779b97f4a7c15n, 0xd6e8feb86659fd93n] as const;
    const all = ids(400_000, (i) => [BigInt(i) * 0x9e3779b97n, BigInt(i)]).slice(1);
    const at = all.map((id) => home(id, factors, 1024));
    const crowds = {
      start: all.filter((_, i) => at[i]! < 2),
      end: all.filter((_, i) => at[i]! > 1021),
      both: all.filter((_, i) => at[i]! < 1 || at[i]! > 1022),
      'first half': all.filter((_, i) => at[i]! < 300),
    };
    for (const [where, crowd] of Object.entries(crowds)) {
      for (const count of [10, 200, 600]) {
        assert.ok(crowd.length >= count, where);
        const memory = new LinearMemory();
        const table = new IdTable({ memory, maxBytes: 2 ** 20, factors, kernel: await create(memory) });
        const header = headerOf(memory);
        const list = [...crowd.slice(0, count), ...all.slice(0, 3000)];
        const distinct = new Set(list.map(String)).size;
        assert.equal(admitAll(memory, table, chunkOf(memory, list, 1).chunk).winners.length, distinct, `${where}, ${count}`);
        assert.equal(displacements(memory, header).length, distinct);
        assert.ok(table.doublings >= 3);
        assert.equal(admitAll(memory, table, chunkOf(memory, list, 2).chunk).winners.length, 0, 'all are found again');
      }
    }
  });

  test(`${name}: chosen ids do not pile up`, async () => {
    const count = 2000;
    const enemyFactors = [0x9e3779b97f4a7c15n, 0xd6e8feb86659fd93n] as const;
    const families: Record<string, Id[]> = {
      counting: ids(count, (i) => [BigInt(i), 0n]),
      'counting hi': ids(count, (i) => [5n, BigInt(i)]),
      'top bits of lo': ids(count, (i) => [BigInt(i) << 43n, 1n]),
      'top bits of hi': ids(count, (i) => [1n, BigInt(i) << 53n]),
      'top bits of both': ids(count, (i) => [BigInt(i & 63) << 48n, BigInt(i >> 6) << 58n]),
      'lo = hi': ids(count, (i) => [BigInt(i), BigInt(i)]),
      'lo = -hi': ids(count, (i) => [BigInt(i), BigInt.asUintN(64, -BigInt(i))]),
      // What an enemy would send who had guessed the factors.
      'one slot of other factors': ids(200000, (i) => [BigInt(i) * 3n, BigInt(i)]).filter((id) => home(id, enemyFactors, 4096) < 40),
    };
    const next = random(5);
    for (let round = 0; round < 3; round++) {
      const factor = (): bigint => ((BigInt(Math.floor(next() * 2 ** 32)) << 32n) | BigInt(Math.floor(next() * 2 ** 32))) | 1n;
      for (const [family, list] of Object.entries(families)) {
        const memory = new LinearMemory();
        const table = new IdTable({ memory, maxBytes: AMPLE, kernel: await create(memory), factors: [factor(), factor()] });
        const header = headerOf(memory);
        assert.ok(list.length > 1500, family);
        admitAll(memory, table, chunkOf(memory, list, 1).chunk);
        const far = displacements(memory, header);
        assert.ok(far.length >= list.length - 1);
        const mean = far.reduce((sum, d) => sum + d, 0) / far.length;
        assert.ok(mean < 3, `${family}, round ${round}: ${mean} slots from home on average`);
      }
      if (name === 'twin') break;
    }
    const memory = new LinearMemory();
    const table = new IdTable({ memory, maxBytes: AMPLE, kernel: await create(memory), factors: enemyFactors });
    const header = headerOf(memory);
    admitAll(memory, table, chunkOf(memory, families['one slot of other factors']!, 1).chunk);
    const far = displacements(memory, header);
    assert.ok(far.reduce((sum, d) => sum + d, 0) / far.length > 100, 'the enemy who knows the factors would have won');
  });

  test(`${name}: where there is less room than it may take, it takes a half, a quarter and so on`, async () => {
    const memory = new LinearMemory({ limit: 1 << 20 });
    const table = new IdTable({ memory, maxBytes: AMPLE, kernel: await create(memory) });
    const { chunk } = chunkOf(memory, ids(5000, (i) => [BigInt(i), 1n]), 1);
    admitAll(memory, table, chunk);
    assert.ok(!table.full && table.slots === 8192, `${table.slots} slots`);
    table.close();
    assert.equal(memory.slabsInUse, 0);
    const none = new LinearMemory({ limit: 65536 + 16384 });
    none.slab(1, 'all there is');
    assert.throws(() => new IdTable({ memory: none, maxBytes: TIGHT, kernel: createDedupTwin(none) }), { code: 'ETL_MEMORY' });
  });
}

test('two tables draw different factors', async () => {
  const memory = new LinearMemory();
  const kernel = createDedupTwin(memory);
  const drawn = [0, 1].map(() => {
    new IdTable({ memory, maxBytes: TIGHT, kernel });
    const header = headerOf(memory);
    return [TABLE_FACTOR0, TABLE_FACTOR1].map((at) => memory.view(header, 64).getBigUint64(at, true));
  }).flat();
  assert.equal(new Set(drawn).size, 4);
  assert.ok(drawn.every((factor) => factor % 2n === 1n));
});

test('kernel and twin leave the same table, and can take turns on it', async () => {
  const images: Buffer[] = [];
  for (const turn of [0, 1, 2]) {
    const memory = new LinearMemory();
    const both = [await wasm(memory), createDedupTwin(memory)];
    let calls = 0;
    const kernel = (): DedupKernel => both[turn === 2 ? calls++ % 2 : turn]!;
    const table = new IdTable({
      memory,
      maxBytes: 2 ** 16,
      factors: [0x9e3779b97f4a7c15n, 0xd6e8feb86659fd93n],
      kernel: {
        clearTable: (...all) => kernel().clearTable(...all),
        growTable: (...all) => kernel().growTable(...all),
        dedupChunk: (...all) => kernel().dedupChunk(...all),
        probeChunk: (...all) => kernel().probeChunk(...all),
      },
    });
    const header = headerOf(memory);
    const list = ids(9000, (i) => [BigInt(i % 5000), BigInt(i % 3)]);
    const { winners, deferred } = admitAll(memory, table, chunkOf(memory, list, 4).chunk, 100);
    assert.ok(table.full && table.doublings === 2);
    const view = memory.view(header, 64);
    const slots = memory.bytes(view.getUint32(TABLE_SLOTS, true), SLOT_BYTES * table.slots);
    images.push(Buffer.concat([memory.bytes(header, 40), slots, Buffer.from(Uint32Array.from([...winners, ...deferred]).buffer)]));
  }
  assert.ok(images[0]!.equals(images[1]!), 'the twin does what the kernel does');
  assert.ok(images[0]!.equals(images[2]!), 'taking turns changes nothing');
});
