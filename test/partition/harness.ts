/** A partition store and its reader with everything around them, and a way to see that they gave everything back. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import type { PartitionChunk } from '../../lib/core/stage.ts';
import { LinearMemory, type LinearMemoryOptions } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createPartitionTwin, type PartitionKernel } from '../../lib/kernels/twins/partition.ts';
import { PartitionReader, type PartitionReaderOptions } from '../../lib/partition/reader.ts';
import { PartitionStore, type PartitionStoreOptions } from '../../lib/partition/store.ts';
import { SpillSpace, type SpillFileSystem } from '../../lib/spill/spill-space.ts';
import { temporaryFolder } from '../temporary.ts';
import { BATCH_ROWS } from '../../lib/kernels/layout.ts';
import { BatchWriter, type BatchRow } from './batches.ts';
import { readList, type StoredRow } from './pages.ts';

export const PAGE = 16384;

export const kernels: [string, (memory: LinearMemory) => Promise<PartitionKernel>][] = [
  ['WASM', (memory) => loadKernel<PartitionKernel>('partition', memory)],
  ['twin', async (memory) => createPartitionTwin(memory)],
];

export interface Row {
  readonly lo: bigint;
  readonly hi: bigint;
  readonly value?: bigint;
  readonly region?: number;
  readonly user?: Uint8Array;
}

type Sizes = Pick<PartitionStoreOptions, 'bits' | 'bytes' | 'keepBytes'> & Pick<PartitionReaderOptions, 'chunkBytes' | 'deferredBytes'>;

export interface HarnessOptions extends Partial<Sizes> {
  readonly create?: (memory: LinearMemory) => Promise<PartitionKernel>;
  readonly memory?: LinearMemoryOptions;
  readonly maxBytes?: number;
  readonly fs?: SpillFileSystem;
  readonly borrow?: PartitionReaderOptions['borrow'];
}

export class Harness {
  readonly memory: LinearMemory;
  readonly counters = newCounters();
  readonly spill: SpillSpace;
  readonly store: PartitionStore;
  readonly kernel: PartitionKernel;
  /** Files in the order in which they were opened. */
  readonly files: FileHandle[] = [];
  readonly #writer: BatchWriter;
  readonly #list: number;
  readonly #folder: string;
  readonly #slabs: number;
  readonly #reading: Pick<PartitionReaderOptions, 'chunkBytes' | 'deferredBytes' | 'borrow'>;
  #reader: PartitionReader | undefined;
  #block = 0;

  static async open(context: TestContext, options: HarnessOptions = {}): Promise<Harness> {
    const memory = new LinearMemory(options.memory);
    const kernel = await (options.create ?? kernels[0]![1])(memory);
    const harness = new Harness(memory, kernel, temporaryFolder(context), options);
    context.after(() => harness.close().catch(() => undefined)); // the test has looked at it
    return harness;
  }

  constructor(memory: LinearMemory, kernel: PartitionKernel, folder: string, options: HarnessOptions) {
    const { bits = 4, bytes = 64 * PAGE, chunkBytes = 4 * PAGE, deferredBytes = 100 * PAGE, keepBytes, maxBytes, borrow } = options;
    this.#reading = { chunkBytes, deferredBytes, ...(borrow && { borrow }) };
    this.memory = memory;
    this.kernel = kernel;
    this.#folder = folder;
    const fs: SpillFileSystem = options.fs ?? {
      open: async (path, flags, mode) => {
        const file = await open(path, flags, mode);
        this.files.push(file);
        return file;
      },
      unlink,
    };
    this.spill = new SpillSpace({ folder, counters: this.counters, fs, maxBytes });
    this.#writer = new BatchWriter(memory, 18 << 20);
    this.#list = memory.slab(4 * 4096, 'test list');
    this.#slabs = memory.slabsInUse;
    this.store = new PartitionStore({ memory, kernel, spill: this.spill, counters: this.counters, bits, bytes, keepBytes });
  }

  /** Reads the store, which is finished; once. */
  partitions(): Readable {
    const { memory, kernel, spill, counters } = this;
    let next = 0;
    this.#reader = new PartitionReader({
      memory, kernel, spill, counters, shares: [structuredClone(this.store.share())], claim: () => next++, ...this.#reading,
    });
    return this.#reader.partitions();
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    await this.store.close();
  }

  /** Each call is one block of input 0, in batches. */
  async write(rows: readonly (Row & BatchRow)[]): Promise<void> {
    const block = this.#block++;
    for (let at = 0; at < rows.length; at += BATCH_ROWS) {
      const batch = rows.slice(at, at + BATCH_ROWS);
      this.#writer.write(batch);
      await this.store.write({ ptr: this.#writer.ptr, rows: batch.length, input: { number: 0, name: 'a.csv' }, block });
    }
  }

  read({ ptr, count }: PartitionChunk): StoredRow[] {
    return readList(this.memory, ptr, count);
  }

  /** Puts the rows at these addresses off, at most 4096. */
  async defer(chunk: PartitionChunk, addresses: readonly number[]): Promise<void> {
    this.memory.u32(this.#list, addresses.length).set(addresses);
    await chunk.defer(this.#list, addresses.length);
  }

  async assertNothingIsHeld(what = ''): Promise<void> {
    await this.close();
    await this.close();
    this.assertMemoryIsBack(what);
    assert.equal(this.spill.bytes, 0, `spilled bytes, ${what}`);
    assert.deepEqual(readdirSync(this.#folder), [], `files, ${what}`);
  }

  assertMemoryIsBack(what = ''): void {
    assert.equal(this.memory.pagesInUse, 0, `pages, ${what}`);
    assert.equal(this.memory.slabsInUse, this.#slabs, `slabs, ${what}`);
  }
}

/** What must come back of a row, comparable and printable. */
export function plain({ lo, hi, value = 0n, region = 0, user = new Uint8Array(0) }: Row): string {
  const shown = user.length <= 16 ? Buffer.from(user).toString('hex') : `${user.length} x ${user[0]} ${user.at(-1)}`;
  return `${lo.toString(16)} ${hi.toString(16)} ${value} ${region} ${shown}`;
}
