/** Blocks made by hand, and what a parse stage makes of them. */
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Dialect } from '../../lib/core/dialect.ts';
import { newCounters, type Counters } from '../../lib/core/counters.ts';
import type { Reject, RejectCode, RejectSink } from '../../lib/core/rejects.ts';
import { rejectCodes } from '../../lib/core/rejects.ts';
import type { Pieces } from '../../lib/core/pieces.ts';
import { CARRIED_BYTES, type Batch, type Block } from '../../lib/core/stage.ts';
import {
  BATCH_ID_LEN, BATCH_ID_PTR, BATCH_IP_LEN, BATCH_IP_PTR, BATCH_RECORD_END, BATCH_RECORD_START, BATCH_STATUS, BATCH_USER_LEN,
  BATCH_USER_PTR, BATCH_VALUE,
} from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createParseTwin, type ParseKernel } from '../../lib/kernels/twins/parse.ts';
import type { BlockParserOptions } from '../../lib/parse/block-parser.ts';
import { createParseStage } from '../../lib/parse/stage.ts';
import { piecesOf } from '../pieces.ts';

export const columns = { id: 'i', user: 'u', ip: 'p', value: 'v' };

export const implementations: readonly { name: string; create(memory: LinearMemory): Promise<ParseKernel> }[] = [
  { name: 'wasm', create: (memory) => loadKernel<ParseKernel>('parse', memory) },
  { name: 'twin', create: async (memory) => createParseTwin(memory) },
];

export interface TestInput {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly dialect?: Dialect;
}

/**
 * The inputs as blocks of `size` bytes, in `buffers` buffers only. A block's bytes, headroom included, are overwritten
 * when it is released, so that a stage which releases too early or too late fails its test.
 */
export class TestBlocks {
  released = 0;
  made = 0;
  readonly #memory: LinearMemory;
  readonly #headroom: number;
  readonly #size: number;
  readonly #free: number[] = [];
  #freed: (() => void) | undefined;

  constructor(memory: LinearMemory, size: number, headroom: number, buffers = 2) {
    this.#memory = memory;
    this.#size = size;
    this.#headroom = headroom;
    for (let i = 0; i < buffers; i++) this.#free.push(memory.slab(headroom + size, 'test block'));
  }

  /** With `emptyLast`, an input's last block is one more, without bytes. */
  async *of(inputs: readonly TestInput[], emptyLast = false): AsyncGenerator<Block> {
    for (const [number, { name, bytes, dialect }] of inputs.entries()) {
      let offset = 0;
      for (let index = 0; ; index++) {
        while (this.#free.length === 0) {
          await new Promise<void>((resolve) => {
            this.#freed = resolve;
          });
        }
        const buffer = this.#free.pop()!;
        const piece = bytes.subarray(offset, offset + this.#size);
        const ptr = buffer + this.#headroom;
        this.#memory.bytes(ptr, piece.length).set(piece);
        const last = offset + piece.length === bytes.length && (!emptyLast || piece.length === 0);
        yield {
          input: { number, name, dialect }, sequence: this.made++, index, offset, ptr, length: piece.length, headroom: this.#headroom, last,
          release: () => this.#release(buffer),
        };
        offset += piece.length;
        if (last) break;
      }
    }
  }

  #release(buffer: number): void {
    if (this.#free.includes(buffer)) throw new Error('released twice');
    this.#memory.bytes(buffer, this.#headroom + this.#size).fill(0x22);
    this.released++;
    this.#free.push(buffer);
    this.#freed?.();
  }
}

/** A sink that never makes the stage wait. */
export function rejectsInto(rejects: Reject[]): RejectSink {
  return { begin: () => undefined, write: (reject) => rejects.push(reject) < 0, drained: async () => undefined, end: () => undefined };
}

export interface Row {
  readonly raw: string;
  readonly status: RejectCode;
  readonly id: string;
  readonly user: string;
  readonly ip: string;
  readonly value: bigint;
}

export interface Outcome {
  readonly rows: Row[];
  readonly rejects: Reject[];
  readonly counters: Counters;
  /** [input, block, rows] of every batch. */
  readonly batches: [number, number, number][];
}

/** Reads a batch's rows, as text; ids and users by latin1, so that every byte shows. */
export function rowsOf(memory: LinearMemory, batch: Batch): Row[] {
  const word = (column: number, row: number): number => memory.u32(batch.ptr + column + 4 * row, 1)[0]!;
  const text = (at: number, length: number): string => Buffer.from(memory.bytes(at, length)).toString('latin1');
  return Array.from({ length: batch.rows }, (_, row) => ({
    raw: text(word(BATCH_RECORD_START, row), word(BATCH_RECORD_END, row) - word(BATCH_RECORD_START, row)),
    status: rejectCodes[word(BATCH_STATUS, row)]!,
    id: text(word(BATCH_ID_PTR, row), word(BATCH_ID_LEN, row)),
    user: text(word(BATCH_USER_PTR, row), word(BATCH_USER_LEN, row)),
    ip: text(word(BATCH_IP_PTR, row), word(BATCH_IP_LEN, row)),
    value: memory.view(batch.ptr + BATCH_VALUE + 8 * row, 8).getBigInt64(0, true),
  }));
}

/** Runs the stage over `inputs` in blocks of `size` bytes. */
export async function runStage(
  create: (memory: LinearMemory) => Promise<ParseKernel>,
  inputs: readonly TestInput[],
  size: number,
  { emptyLast, headroom, ...options }: Partial<BlockParserOptions> & { emptyLast?: boolean; headroom?: number | undefined } = {},
): Promise<Outcome> {
  const memory = new LinearMemory();
  const blocks = new TestBlocks(memory, size, headroom ?? Math.min(options.maxRecordBytes ?? CARRIED_BYTES, CARRIED_BYTES));
  const outcome: Outcome = { rows: [], rejects: [], counters: newCounters(), batches: [] };
  const rejects = rejectsInto(outcome.rejects);
  const longest = Math.max(...inputs.map(({ bytes }) => bytes.length), 0);
  const kernel = await create(memory);
  const others = memory.slabsInUse;
  const stage: Transform = createParseStage({ memory, kernel, counters: outcome.counters, rejects, columns, scale: 2, relayBytes: longest + size + 4096, ...options });
  try {
    await pipeline(Readable.from(blocks.of(inputs, emptyLast)), stage, async (taken: AsyncIterable<Pieces<Batch>>) => {
      for await (const batch of piecesOf(taken)) {
        outcome.batches.push([batch.input.number, batch.block, batch.rows]);
        outcome.rows.push(...rowsOf(memory, batch));
      }
    });
  } finally {
    if (memory.slabsInUse !== others) throw new Error(`the stage left ${memory.slabsInUse - others} slabs`);
  }
  if (blocks.released !== blocks.made) throw new Error(`${blocks.made} blocks were made, ${blocks.released} released`);
  return outcome;
}
