/**
 * lane 1, first stage: inputs -> blocks of `blockBytes` in linear memory, in input order. It owns a fixed number of
 * block buffers and reads the next block while the one before is parsed; with all buffers out it waits for a release.
 * Memory: BLOCK_BUFFERS x (HEADROOM + blockBytes), of which headroom is only touched by carried records.
 */
import { Readable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { releaseOnce, SAMPLE_BYTES, MAX_RECORD_BYTES, type Block } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { InputFile } from './inputs.ts';
import { InputReader } from './reader.ts';

/** Large enough that a block's fixed costs vanish, small enough to stay in the L2 cache while it is parsed. */
export const BLOCK_BYTES = 1 << 20;
/** Room before a block for the record that the block before left unfinished. */
const HEADROOM = MAX_RECORD_BYTES + 64;
/** What kernels may read past a block's end, 64 bytes at a time. */
const SLACK = 128;
/** One being parsed, one read and waiting, one being read. */
const BLOCK_BUFFERS = 3;

export interface BlockSourceOptions {
  readonly inputs: readonly InputFile[];
  readonly memory: LinearMemory;
  readonly counters: Counters;
  readonly signal?: AbortSignal | undefined;
  /** Default BLOCK_BYTES. */
  readonly blockBytes?: number | undefined;
}

export class BlockSource {
  readonly #inputs: readonly InputFile[];
  readonly #memory: LinearMemory;
  readonly #counters: Counters;
  readonly #signal: AbortSignal | undefined;
  readonly #blockBytes: number;
  /** What was sampled from inputs that cannot be read twice. */
  readonly #sampled = new Map<InputFile, { reader: InputReader; bytes: Uint8Array }>();
  readonly #free: number[] = [];
  #waiting: ((buffer: number) => void) | undefined;

  constructor(options: BlockSourceOptions) {
    this.#inputs = options.inputs;
    this.#memory = options.memory;
    this.#counters = options.counters;
    this.#signal = options.signal;
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES;
  }

  /**
   * The first SAMPLE_BYTES of each input in turn (all of a shorter one), to look at before the run. Files are read
   * again by `stream`; what was taken from a pipe is kept for it.
   */
  async *samples(): AsyncGenerator<{ input: InputFile; bytes: Uint8Array }> {
    for (const input of this.#inputs) {
      const reader = new InputReader(input);
      const buffer = new Uint8Array(Math.min(SAMPLE_BYTES, input.size ?? SAMPLE_BYTES));
      let kept = false;
      try {
        const bytes = buffer.subarray(0, await this.#fill(reader, buffer));
        if (input.size === undefined) {
          this.#sampled.set(input, { reader, bytes });
          kept = true;
        }
        yield { input, bytes };
      } finally {
        if (!kept) await close(reader, input);
      }
    }
  }

  /** Lets go of pipes that were sampled and not streamed; idempotent. */
  async close(): Promise<void> {
    for (const [input, { reader }] of this.#sampled) await close(reader, input);
    this.#sampled.clear();
  }

  /** The stream of blocks. Call once. */
  stream(): Readable {
    for (let buffer = 0; buffer < BLOCK_BUFFERS; buffer++) {
      this.#free.push(this.#memory.slab(HEADROOM + this.#blockBytes + SLACK, 'input blocks'));
    }
    return Readable.from(this.#blocks(), { objectMode: true, highWaterMark: 1 });
  }

  async *#blocks(): AsyncGenerator<Block> {
    for (const input of this.#inputs) {
      const sampled = this.#sampled.get(input);
      this.#sampled.delete(input);
      const reader = sampled?.reader ?? new InputReader(input);
      try {
        yield* this.#blocksOf(input, reader, sampled?.bytes ?? new Uint8Array(0));
      } finally {
        await close(reader, input);
      }
    }
  }

  /** `begun` is what was read of the input before. */
  async *#blocksOf(input: InputFile, reader: InputReader, begun: Uint8Array): AsyncGenerator<Block> {
    const blockBytes = this.#blockBytes;
    let offset = 0;
    for (let index = 0, last = false; !last; index++) {
      const buffer = await this.#takeBuffer();
      const ptr = buffer + HEADROOM;
      const bytes = this.#memory.bytes(ptr, blockBytes);
      const kept = begun.subarray(offset, offset + blockBytes);
      bytes.set(kept);
      const length = kept.length + (kept.length < blockBytes ? await this.#fill(reader, bytes.subarray(kept.length)) : 0);
      last = length < blockBytes;
      if (last && input.size !== undefined && offset + length < input.size) {
        throw new EtlError('ETL_INPUT_READ', `The input ${input.name} got shorter while it was read: ${offset + length} of ${input.size} bytes.`);
      }
      this.#counters.bytes += length;
      yield { input, index, offset, ptr, length, headroom: HEADROOM, last, release: this.#releaser(buffer) };
      offset += length;
    }
  }

  /** Fills `target`, or rejects at once when the run is stopped: a read from an idle pipe can only be left behind. */
  #fill(reader: InputReader, target: Uint8Array): Promise<number> {
    const signal = this.#signal;
    if (!signal) return reader.fill(target);
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(signal.reason as Error);
      if (signal.aborted) return stop();
      signal.addEventListener('abort', stop, { once: true });
      reader.fill(target).then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  #takeBuffer(): number | Promise<number> {
    const buffer = this.#free.pop();
    if (buffer !== undefined) return buffer;
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  #releaser(buffer: number): () => void {
    return releaseOnce('A block', () => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) waiting(buffer);
      else this.#free.push(buffer);
    });
  }
}

/** Closes a reader; one whose read may never return (a pipe) is not waited for. */
async function close(reader: InputReader, input: InputFile): Promise<void> {
  const closed = reader.close();
  if (input.size !== undefined) await closed;
  else closed.catch(() => undefined);
}
