/** Several stores, filled as the threads of lane 1 would, and several readers, as those of lane 2: on one event loop, each with an arena of its own. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { test, type TestContext } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import { SharedCell } from '../../lib/core/shared-cell.ts';
import type { Pieces } from '../../lib/core/pieces.ts';
import type { PartitionChunk, Winners } from '../../lib/core/stage.ts';
import { MemoryKeySet } from '../../lib/dedup/memory-key-set.ts';
import { createDedupStage } from '../../lib/dedup/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import type { DedupKernel } from '../../lib/kernels/twins/dedup.ts';
import type { PartitionKernel } from '../../lib/kernels/twins/partition.ts';
import { PartitionReader } from '../../lib/partition/reader.ts';
import { PartitionStore } from '../../lib/partition/store.ts';
import { SpillSpace } from '../../lib/spill/spill-space.ts';
import { random } from '../random.ts';
import { piecesOf } from '../pieces.ts';
import { temporaryFolder } from '../temporary.ts';
import { BatchWriter } from './batches.ts';
import { kernels, PAGE, type Row } from './harness.ts';
import { readHead } from './pages.ts';

type CreateKernel = (memory: LinearMemory) => Promise<PartitionKernel>;

interface Thread {
  readonly memory: LinearMemory;
  readonly kernel: PartitionKernel;
  readonly spill: SpillSpace;
  readonly store: PartitionStore;
  readonly writer: BatchWriter;
  readonly counters: ReturnType<typeof newCounters>;
  readonly slabs: number;
}

interface Block {
  readonly input: number;
  readonly block: number;
  readonly rows: readonly Row[];
}

interface CrewOptions {
  readonly bits: number;
  /** Bytes of pages of each thread's store. */
  readonly bytes: readonly number[];
  readonly chunkBytes?: number;
  readonly idBytes?: number;
  readonly maxSpill?: number;
  readonly create?: CreateKernel;
}

/** What a thread found: winners in the order in which they came, by their values, and how many rows were none. */
interface Found {
  readonly winners: { readonly partition: number; readonly value: number }[];
  readonly duplicates: number;
}

class Crew {
  readonly threads: Thread[] = [];
  readonly readers: PartitionReader[] = [];
  readonly claimed = new SharedCell(new SharedArrayBuffer(4), 0);
  /** Files in the order in which they were opened. */
  readonly files: FileHandle[] = [];
  readonly #options: CrewOptions;
  readonly #folder: string;
  readonly #used = new BigInt64Array(new SharedArrayBuffer(8));

  static async open(context: TestContext, options: CrewOptions): Promise<Crew> {
    const crew = new Crew(context, options);
    const root = new LinearMemory();
    for (const bytes of options.bytes) {
      const memory = new LinearMemory(root.arena(48 << 20, 16 << 20));
      const kernel = await (options.create ?? kernels[0]![1])(memory);
      crew.#add(memory, kernel, bytes);
    }
    context.after(() => crew.close().catch(() => undefined)); // the test has looked at it
    return crew;
  }

  constructor(context: TestContext, options: CrewOptions) {
    this.#options = options;
    this.#folder = temporaryFolder(context);
  }

  #add(memory: LinearMemory, kernel: PartitionKernel, bytes: number): void {
    const counters = newCounters();
    const spill = new SpillSpace({
      folder: this.#folder, counters, used: this.#used, maxBytes: this.#options.maxSpill,
      fs: {
        open: async (path, flags, mode) => {
          const file = await open(path, flags, mode);
          this.files.push(file);
          return file;
        },
        unlink,
      },
    });
    const writer = new BatchWriter(memory, 1 << 20);
    const slabs = memory.slabsInUse;
    const store = new PartitionStore({ memory, kernel, spill, counters, bits: this.#options.bits, bytes });
    this.threads.push({ memory, kernel, spill, store, writer, counters, slabs });
  }

  /** Deals blocks out, in order, and finishes all stores. Those of `idle` get none. */
  async scatter(blocks: readonly Block[], next: () => number, idle: readonly number[] = []): Promise<void> {
    const busy = this.threads.filter((_, i) => !idle.includes(i));
    for (const { input, block, rows } of blocks) {
      const { store, writer } = busy[Math.floor(next() * busy.length)]!;
      writer.write(rows);
      await store.write({ ptr: writer.ptr, rows: rows.length, input: { number: input, name: 'a.csv' }, block });
    }
    for (const { store } of this.threads) await store.finish();
  }

  reader({ memory, kernel, spill, counters }: Thread): PartitionReader {
    const reader = new PartitionReader({
      memory, kernel, spill, counters, shares: structuredClone(this.threads.map(({ store }) => store.share())),
      claim: () => this.claimed.add(1), chunkBytes: this.#options.chunkBytes ?? 8 * PAGE, deferredBytes: 100 * PAGE,
    });
    this.readers.push(reader);
    return reader;
  }

  /** All winners, by the dedup stage of each of the first `readers` threads. */
  async dedup(readers: number): Promise<Found[]> {
    const threads = this.threads.slice(0, readers);
    const dedupKernels = await Promise.all(threads.map(({ memory }) => loadKernel<DedupKernel>('dedup', memory)));
    return Promise.all(threads.map(async (thread, i) => {
      const { memory } = thread;
      const keySet = new MemoryKeySet({ memory, kernel: dedupKernels[i]!, maxBytes: this.#options.idBytes ?? 1 << 20 });
      const counters = { duplicate: 0 };
      const winners: Found['winners'] = [];
      try {
        await pipeline(
          this.reader(thread).partitions(),
          createDedupStage({ memory, keySet, counters }),
          async (chunks: AsyncIterable<Pieces<Winners>>) => {
            for await (const { ptr, count } of piecesOf(chunks)) {
              for (const row of memory.u32(ptr, count)) winners.push(this.#winner(memory, row));
            }
          },
        );
      } finally {
        keySet.close();
      }
      return { winners, duplicates: counters.duplicate };
    }));
  }

  #winner(memory: LinearMemory, row: number): Found['winners'][number] {
    const view = new DataView(memory.memory.buffer);
    return {
      partition: Number(view.getBigUint64(row, true) >> BigInt(64 - this.#options.bits)),
      value: Number(readHead(view, row).value),
    };
  }

  async close(): Promise<void> {
    const ends = await Promise.allSettled(this.readers.map((reader) => reader.close()));
    for (const { store } of this.threads) await store.close();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  async assertNothingIsHeld(what: string): Promise<void> {
    await this.close();
    assert.equal(this.threads.reduce((sum, { memory }) => sum + memory.pagesInUse, 0), 0, `pages of all arenas, ${what}`);
    for (const { memory, slabs } of this.threads) assert.equal(memory.slabsInUse, slabs, `slabs, ${what}`);
    assert.deepEqual([Number(this.#used[0]), readdirSync(this.#folder)], [0, []], `files, ${what}`);
  }
}

/** Blocks of some inputs, whose rows have their place in the order of all as value. */
function blocksOf(seed: number, { count, ids, rows }: { count: number; ids: number; rows: number }): Block[] {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  let input = 0;
  let block = 0;
  let value = 0;
  return Array.from({ length: count }, () => {
    block++;
    if (next() < 0.1) [input, block] = [input + 1 + below(3), 0];
    return {
      input, block,
      rows: Array.from({ length: below(rows) }, (): Row => {
        const id = BigInt(below(ids));
        return { lo: (id * 0x9e3779b97f4a7c15n) & (2n ** 64n - 1n), hi: id, value: BigInt(value++), user: new Uint8Array(below(40)) };
      }),
    };
  });
}

/** The first row of each id, by partition. */
function model(blocks: readonly Block[], bits: number): { winners: Map<number, number[]>; rows: number } {
  const seen = new Set<bigint>();
  const winners = new Map<number, number[]>();
  let rows = 0;
  for (const { hi, lo, value } of blocks.flatMap((block) => block.rows)) {
    rows++;
    if (seen.has(hi)) continue;
    seen.add(hi);
    const partition = Number(lo >> BigInt(64 - bits));
    winners.set(partition, [...(winners.get(partition) ?? []), Number(value)]);
  }
  return { winners, rows };
}

const byPartition = (map: Map<number, number[]>): [number, number[]][] => [...map].sort(([a], [b]) => a - b);

const MEMORY = 3000 * PAGE;
const shapes: Record<string, readonly number[]> = {
  'one, in memory': [MEMORY],
  'one, spilled': [5 * PAGE],
  'two, in memory': [MEMORY, MEMORY],
  'two, spilled': [7 * PAGE, 5 * PAGE],
  'two, one of them spilled': [MEMORY, 5 * PAGE],
  'three, in memory': [MEMORY, MEMORY, MEMORY],
  'three: spilled, in memory, empty': [5 * PAGE, MEMORY, MEMORY],
  'eight, of all kinds': [MEMORY, 5 * PAGE, 9 * PAGE, MEMORY, MEMORY, 5 * PAGE, 20 * PAGE, MEMORY],
};

for (const [kernelName, create] of kernels) {
  for (const [name, bytes] of Object.entries(shapes)) {
    if (kernelName === 'twin' && !name.includes('of')) continue; // slow
    test(`${kernelName}: the first row of each id wins, whatever stores it is in: ${name}`, async (t) => {
      const idle = name.includes('empty') ? [2] : [];
      const most = { generations: 0, chunks: 0, busyReaders: 0, splits: 0 };
      const rounds = kernelName === 'WASM' ? 4 : 1;
      for (let seed = 1; seed <= rounds; seed++) {
        const next = random(seed * 101);
        const bits = [2, 6, 0, 4, 3, 6][seed % 6]!;
        const tight = seed % 3 === 2;
        const blocks = blocksOf(seed, kernelName === 'WASM' ? { count: 60, ids: 9000, rows: 600 } : { count: 16, ids: 2000, rows: 300 });
        const crew = await Crew.open(t, {
          bits, bytes, create, chunkBytes: Math.floor(next() * 40 * PAGE), idBytes: tight ? 16 << 10 : 1 << 20,
        });
        await crew.scatter(blocks, next, idle);
        const spilled = crew.threads.map(({ store }) => store.share());
        for (const { rows, rowsSpilled, file, chains } of spilled) {
          assert.ok(rowsSpilled === 0 ? !file : rowsSpilled === rows && file && chains.every((chain) => chain === 0), 'chains or a file');
        }
        most.generations = Math.max(most.generations, ...spilled.map(({ generations }) => generations.length));

        const readers = seed === 1 ? bytes.length : 1 + Math.floor(next() * bytes.length);
        const found = await crew.dedup(readers);
        const { winners, rows } = model(blocks, bits);
        const what = `seed ${seed}, ${readers} readers`;
        const deferred = crew.threads.reduce((sum, { counters }) => sum + counters.splits, 0);
        const wonBy = new Map<number, number[]>();
        let duplicates = 0;
        for (const thread of found) {
          duplicates += thread.duplicates;
          let before = -1;
          for (const { partition, value } of thread.winners) {
            assert.ok(partition >= before, `partitions of a reader ascend, ${what}`);
            assert.ok(partition === before || !wonBy.has(partition), `a partition has one reader, ${what}`);
            before = partition;
            wonBy.set(partition, [...(wonBy.get(partition) ?? []), value]);
          }
        }
        if (deferred > 0) for (const list of wonBy.values()) list.sort((a, b) => a - b);
        assert.deepEqual(byPartition(wonBy), byPartition(winners), what);
        assert.equal(duplicates, rows - [...winners.values()].flat().length, what);
        most.splits = Math.max(most.splits, deferred);
        most.busyReaders = Math.max(most.busyReaders, found.filter((thread) => thread.winners.length > 0).length);
        await crew.assertNothingIsHeld(what);
      }
      assert.equal(most.generations > 3, bytes.some((limit) => limit < MEMORY), `${most.generations} generations`);
      if (kernelName === 'WASM') assert.ok(most.splits > 0, 'rows were put off');
      if (bytes.length > 1) assert.ok(most.busyReaders > 1, 'several readers had partitions');
    });
  }
}

async function failing(t: TestContext, options: Partial<CrewOptions> = {}): Promise<{ crew: Crew; blocks: Block[] }> {
  const blocks = blocksOf(7, { count: 40, ids: 9000, rows: 600 });
  const crew = await Crew.open(t, { bits: 4, bytes: [5 * PAGE, MEMORY, 5 * PAGE], ...options });
  await crew.scatter(blocks, random(7));
  return { crew, blocks };
}

test('a file that is damaged is noticed by whoever reads it, by its name and place', async (t) => {
  for (const owner of [0, 2]) {
    const { crew } = await failing(t);
    const { path, fd } = crew.threads[owner]!.store.share().file!;
    const file = crew.files.find((handle) => handle.fd === fd)!;
    const byte = Buffer.alloc(1);
    const { bytesRead } = await file.read(byte, 0, 1, 5000);
    assert.equal(bytesRead, 1);
    byte[0]! ^= 16;
    await file.write(byte, 0, 1, 5000);
    // The reader in another thread than the owner's.
    const stream = crew.reader(crew.threads[1]!).partitions();
    await assert.rejects(stream.forEach((chunk: PartitionChunk) => chunk.release()), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ETL_TEMP_DAMAGED');
      assert.ok(error.message.startsWith(`The temporary file ${path} is damaged at byte `), error.message);
      return true;
    });
    await crew.assertNothingIsHeld(`owner ${owner}`);
  }
});

test('a file that its owner closed too early is an error of reading', async (t) => {
  const { crew } = await failing(t);
  await crew.files[0]!.close();
  const stream = crew.reader(crew.threads[1]!).partitions();
  await assert.rejects(stream.forEach((chunk: PartitionChunk) => chunk.release()), { code: 'ETL_TEMP_WRITE', message: /Reading .*partitions-.*EBADF/ });
  await crew.close().catch((error: unknown) => assert.match(String(error), /EBADF|closed/));
});

test('readers that stop anywhere, with chunks out, leave nothing once the stores are closed', async (t) => {
  for (const readTo of [0, 1, 3, 7]) {
    const { crew } = await failing(t);
    const streams = crew.threads.map((thread) => crew.reader(thread).partitions());
    const out: PartitionChunk[] = [];
    await Promise.all(streams.map(async (stream) => {
      let chunks = 0;
      while (chunks < readTo) {
        const chunk = stream.read() as PartitionChunk | null;
        if (!chunk) {
          await new Promise((resolve) => setImmediate(resolve));
          if (stream.readableEnded) break;
          continue;
        }
        chunks++;
        if (chunks < readTo) chunk.release();
        else out.push(chunk);
      }
      stream.destroy();
    }));
    await crew.assertNothingIsHeld(`${readTo} chunks`);
    for (const chunk of out) chunk.release();
    await crew.assertNothingIsHeld(`released late, ${readTo} chunks`);
  }
});

test('claims that are stopped end the readers', async (t) => {
  const { crew } = await failing(t);
  const stream = crew.reader(crew.threads[0]!).partitions();
  await assert.rejects(stream.forEach((chunk: PartitionChunk) => {
    crew.claimed.stop();
    chunk.release();
  }), { code: 'ETL_ABORTED' });
  await crew.assertNothingIsHeld('stopped');
});

test('the stores of all threads share --max-spill', async (t) => {
  await assert.rejects(failing(t, { maxSpill: 300_000 }), { code: 'ETL_MAX_SPILL' });
  const { crew } = await failing(t);
  const [a, , c] = crew.threads.map(({ counters }) => counters.spilledBytes);
  assert.ok(a! < 300_000 && c! < 300_000 && a! + c! > 300_000, `${a} and ${c} bytes`);
  assert.equal(crew.threads[1]!.spill.bytes, a! + c!, 'each space knows of all');
  await crew.assertNothingIsHeld('max-spill');
});

test('stores of different hash bits, and a second reading, are refused', async (t) => {
  const { crew } = await failing(t);
  const [share, other] = crew.threads.map(({ store }) => store.share());
  const { memory, kernel, spill, counters } = crew.threads[0]!;
  const shares = [share!, { ...other!, hash: { ...other!.hash, bits: 3 } }];
  const held = [memory.pagesInUse, memory.slabsInUse];
  const make = (): PartitionReader => new PartitionReader({
    memory, kernel, spill, counters, shares, claim: () => 0, chunkBytes: PAGE, deferredBytes: PAGE,
  });
  assert.throws(make, { code: 'ETL_INTERNAL' });
  assert.deepEqual([memory.pagesInUse, memory.slabsInUse], held);
  const reader = crew.reader(crew.threads[0]!);
  reader.partitions();
  assert.throws(() => reader.partitions(), { code: 'ETL_INTERNAL' });
  await crew.assertNothingIsHeld('refused');
});
