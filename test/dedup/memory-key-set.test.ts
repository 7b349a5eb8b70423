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
import { admitAll, chunkOf, keySetConformance } from './key-set-conformance.ts';

const wasm = (memory: LinearMemory): Promise<DedupKernel> => loadKernel<DedupKernel>('dedup', memory);
const kernels: [string, (memory: LinearMemory) => Promise<DedupKernel>][] = [
  ['WASM', wasm],
  ['twin', async (memory) => createDedupTwin(memory)],
];

keySetConformance('MemoryKeySet, WASM', async (memory) => new MemoryKeySet({ memory, kernel: await wasm(memory) }));
keySetConformance('MemoryKeySet, twin', async (memory) => new MemoryKeySet({ memory, kernel: createDedupTwin(memory) }));

type Id = readonly [bigint, bigint];
const ids = (length: number, id: (i: number) => Id): Id[] => Array.from({ length }, (_, i) => id(i));

/** Of the ids in a table, how many slots past its home each stands, by the formula in dedup-layout.ts. */
function displacements(memory: LinearMemory, header: number): number[] {
  const table = memory.view(header, 64);
  const slots = 2 ** table.getUint32(TABLE_BITS, true);
  const f0 = table.getBigUint64(TABLE_FACTOR0, true);
  const f1 = table.getBigUint64(TABLE_FACTOR1, true);
  const view = memory.view(table.getUint32(TABLE_SLOTS, true), slots * SLOT_BYTES);
  const found: number[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const lo = view.getBigUint64(slot * SLOT_BYTES, true);
    const hi = view.getBigUint64(slot * SLOT_BYTES + 8, true);
    if (lo !== 0n || hi !== 0n) found.push((slot - home([lo, hi], [f0, f1], slots) + slots) % slots);
  }
  return found;
}

function home([lo, hi]: Id, [f0, f1]: readonly [bigint, bigint], slots: number): number {
  const h = BigInt.asUintN(64, lo * f0 + hi * f1);
  return Number(BigInt.asUintN(64, (h ^ (h >> 32n)) * f0) >> BigInt(64 - Math.log2(slots)));
}

for (const [name, create] of kernels) {
  test(`${name}: the table grows with distinct ids, inside its slab and past it`, async () => {
    const memory = new LinearMemory();
    const table = new IdTable({ memory, kernel: await create(memory) });
    const admit = (distinct: number, rows = distinct): number[] => {
      const { chunk, addresses } = chunkOf(memory, ids(rows, (i) => [BigInt(i % distinct), 0n]), 1);
      return admitAll(memory, table, chunk).winners.map((at) => addresses.indexOf(at));
    };
    assert.equal(table.slots, 1024);
    // 640, 5/8 of 1024 slots, make it full; the id of zeros takes none.
    admit(640);
    assert.deepEqual(admit(500, 5000), []);
    assert.deepEqual([table.size, table.slots, table.doublings], [640, 1024, 0]);
    assert.deepEqual(admit(642), [640, 641]);
    assert.deepEqual([table.size, table.slots, table.doublings], [642, 2048, 1]);
    assert.deepEqual(admit(500, 5000), []);
    assert.deepEqual([table.size, table.slots, table.doublings], [642, 2048, 1]);
    assert.equal(admit(25000).length, 25000 - 642);
    assert.deepEqual([table.size, table.slots, table.doublings, table.slabs], [25000, 65536, 6, 2]);

    // The first slab of 1 MiB went to the pool.
    const held = memory.pagesInUse;
    const before = memory.size;
    for (let page = 0; page < (1 << 20) / PAGE_BYTES; page++) assert.notEqual(memory.takePageIfAny(), 0);
    assert.equal(memory.size, before);
    assert.equal(memory.pagesInUse, held + 64);
  });

  test(`${name}: the next partition starts at the size that the last one needed, and takes no new slab`, async () => {
    const memory = new LinearMemory();
    const table = new IdTable({ memory, kernel: await create(memory) });
    const sizes: number[] = [];
    for (const distinct of [25000, 10, 10, 25000, 22000, 9000, 0, 25000]) {
      admitAll(memory, table, chunkOf(memory, ids(distinct, (i) => [BigInt(i), 1n]), 1).chunk);
      assert.equal(table.size, distinct);
      table.clear();
      assert.equal(table.size, 0);
      sizes.push(table.slots);
    }
    assert.deepEqual(sizes, [65536, 1024, 1024, 65536, 65536, 16384, 1024, 65536]);
    assert.equal(table.slabs, 2);
    assert.ok(table.doublings > 12);
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
        const header = memory.size;
        const table = new IdTable({ memory, kernel: await create(memory), factors: [factor(), factor()] });
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
    const header = memory.size;
    const table = new IdTable({ memory, kernel: await create(memory), factors: enemyFactors });
    admitAll(memory, table, chunkOf(memory, families['one slot of other factors']!, 1).chunk);
    const far = displacements(memory, header);
    assert.ok(far.reduce((sum, d) => sum + d, 0) / far.length > 100, 'the enemy who knows the factors would have won');
  });

  test(`${name}: a table that linear memory has no room for is an error, not a loop`, async () => {
    const memory = new LinearMemory({ limit: 4 << 20 });
    const table = new IdTable({ memory, kernel: await create(memory) });
    const { chunk } = chunkOf(memory, ids(25000, (i) => [BigInt(i), 1n]), 1);
    assert.throws(() => admitAll(memory, table, chunk), { code: 'ETL_MEMORY' });
  });
}

test('two tables draw different factors', async () => {
  const memory = new LinearMemory();
  const kernel = createDedupTwin(memory);
  const drawn = [0, 1].map(() => {
    const header = memory.size;
    new IdTable({ memory, kernel });
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
    const header = memory.size;
    const table = new IdTable({
      memory,
      factors: [0x9e3779b97f4a7c15n, 0xd6e8feb86659fd93n],
      kernel: {
        clearTable: (...all) => kernel().clearTable(...all),
        growTable: (...all) => kernel().growTable(...all),
        dedupChunk: (...all) => kernel().dedupChunk(...all),
      },
    });
    const list = ids(9000, (i) => [BigInt(i % 5000), BigInt(i % 3)]);
    const { winners } = admitAll(memory, table, chunkOf(memory, list, 4).chunk, 100);
    const view = memory.view(header, 64);
    const slots = memory.bytes(view.getUint32(TABLE_SLOTS, true), SLOT_BYTES * table.slots);
    images.push(Buffer.concat([memory.bytes(header, 40), slots, Buffer.from(Uint32Array.from(winners).buffer)]));
  }
  assert.ok(images[0]!.equals(images[1]!), 'the twin does what the kernel does');
  assert.ok(images[0]!.equals(images[2]!), 'taking turns changes nothing');
});
