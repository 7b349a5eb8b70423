/**
 * lane 1, first stage, where one thread reads: inputs -> blocks of `blockBytes` of text in linear memory, decompressed and
 * transcoded (text-reader.ts), in input order. It owns a fixed number of block buffers and reads the next block while the one before is parsed; with all buffers out it waits for
 * a release.
 * Memory: `blocks` x (HEADROOM + blockBytes), of which headroom is only touched by carried records. Given back when the
 * stream has ended and the last block is released, or at once when it is destroyed.
 */
import { Readable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { releaseOnce, SAMPLE_BYTES, CARRIED_BYTES, type Block } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { SlabPool } from '../kernels/slab-pool.ts';
import type { Content } from './content.ts';
import type { InputFile } from './inputs.ts';
import { expectedBytes } from './look-into.ts';
import { TextReader } from './text-reader.ts';

/** Large enough that a block's fixed costs vanish, small enough to stay in the L2 cache while it is parsed. */
export const BLOCK_BYTES = 1 << 20;
/** Room before a block for the record that the block before left unfinished. */
export const HEADROOM = CARRIED_BYTES + 64;
/** What kernels may read past a block's end, 64 bytes at a time. */
export const SLACK = 128;
/** One being parsed, one read and waiting, one being read. */
export const BLOCKS = 3;

export interface BlockSourceOptions {
  readonly inputs: readonly InputFile[];
  readonly memory: LinearMemory;
  readonly counters: Counters;
  readonly signal?: AbortSignal | undefined;
  /** Default BLOCK_BYTES. */
  readonly blockBytes?: number | undefined;
  /** Blocks that there may be at a time, at least 2: one may wait for the next to end its last record. Default BLOCKS. */
  readonly blocks?: number | undefined;
  /** Most bytes that Zstandard data may want to have kept. Default: what the format asks of decoders. */
  readonly windowBytes?: number | undefined;
}

export class BlockSource {
  readonly #inputs: readonly InputFile[];
  readonly #memory: LinearMemory;
  readonly #counters: Counters;
  readonly #blockBytes: number;
  readonly #count: number;
  readonly #windowBytes: number | undefined;
  /** Ends what is being read: the caller's signal, or that the stream is destroyed. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #stream: Readable | undefined;
  /** What was sampled from pipes, which cannot be read twice. */
  readonly #sampled = new Map<InputFile, { reader: TextReader; bytes: Uint8Array }>();
  /** Of inputs that were sampled to their end, how long they are. */
  readonly #lengths = new Map<InputFile, number>();

  constructor(options: BlockSourceOptions) {
    this.#inputs = options.inputs;
    this.#memory = options.memory;
    this.#counters = options.counters;
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES;
    this.#count = options.blocks ?? BLOCKS;
    this.#windowBytes = options.windowBytes;
  }

  /**
   * The first SAMPLE_BYTES of each input in turn (all of a shorter one), to look at before the run. Files are read
   * again by `stream`; what was taken from a pipe is kept for it. `skipsPipes`: they are not touched, and have no bytes.
   */
  async *samples({ skipsPipes = false } = {}): AsyncGenerator<{ input: InputFile; bytes: Uint8Array }> {
    for (const input of this.#inputs) {
      if (skipsPipes && input.size === undefined) {
        yield { input, bytes: new Uint8Array(0) };
        continue;
      }
      const reader = this.#reader(input);
      const buffer = new Uint8Array(input.content === 'text' ? Math.min(SAMPLE_BYTES, input.size!) : SAMPLE_BYTES);
      let kept = false;
      try {
        const bytes = buffer.subarray(0, await this.#fill(reader, buffer));
        if (bytes.length < SAMPLE_BYTES) this.#lengths.set(input, bytes.length);
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

  /** What stands in the pipes that were sampled. */
  get sampledPipes(): Content[] {
    return Array.from(this.#sampled.values(), ({ reader }) => reader.content!);
  }

  /** About how many bytes of text all inputs have; undefined when a pipe was not sampled to its end. */
  get expectedBytes(): number | undefined {
    let bytes = 0;
    for (const input of this.#inputs) {
      const length = this.#lengths.get(input);
      if (input.size === undefined && length === undefined) return undefined;
      bytes += length ?? expectedBytes(input);
    }
    return bytes;
  }

  /** Ends the stream, if it has not ended, and lets go of pipes that were sampled only. All memory is back then. Idempotent. */
  async close(): Promise<void> {
    const stream = this.#stream;
    if (stream && !stream.closed) await new Promise<void>((resolve) => stream.once('close', () => resolve()).destroy());
    for (const [input, { reader }] of this.#sampled) await close(reader, input);
    this.#sampled.clear();
  }

  /** The stream of blocks. Call once. Throws ETL_MEMORY. */
  stream(): Readable {
    const buffers = new SlabPool(this.#memory, this.#count, HEADROOM + this.#blockBytes + SLACK, 'input blocks');
    const blocks = this.#blocks(buffers);
    const stop = this.#stop;
    this.#stream = new Readable({
      objectMode: true,
      highWaterMark: 1,
      read() {
        blocks.next().then(({ done, value }) => this.push(done ? null : value), (error: Error) => this.destroy(error));
      },
      destroy(error, callback) {
        buffers.end();
        if (this.readableEnded) return callback(error);
        stop.abort(error ?? new EtlError('ETL_ABORTED', 'Reading was stopped.'));
        // What goes wrong from here on does so because of the stop.
        blocks.return(undefined).catch(() => undefined).then(() => {
          buffers.close();
          callback(error);
        });
      },
    });
    return this.#stream;
  }

  async *#blocks(buffers: SlabPool): AsyncGenerator<Block, undefined> {
    let sequence = 0;
    for (const input of this.#inputs) {
      const sampled = this.#sampled.get(input);
      this.#sampled.delete(input);
      const reader = sampled?.reader ?? this.#reader(input);
      try {
        sequence = yield* this.#blocksOf(input, reader, sampled?.bytes ?? new Uint8Array(0), buffers, sequence);
      } finally {
        await close(reader, input);
      }
    }
  }

  /** `begun` is what was read of the input before. The first block gets the number `sequence`; gives the next one's. */
  async *#blocksOf(
    input: InputFile, reader: TextReader, begun: Uint8Array, buffers: SlabPool, sequence: number,
  ): AsyncGenerator<Block, number> {
    const blockBytes = this.#blockBytes;
    let [offset, taken] = [0, 0];
    for (let index = 0, last = false; !last; index++) {
      const buffer = await buffers.take();
      const ptr = buffer + HEADROOM;
      const bytes = this.#memory.bytes(ptr, blockBytes);
      const kept = begun.subarray(offset, offset + blockBytes);
      bytes.set(kept);
      const length = kept.length + (kept.length < blockBytes ? await this.#fill(reader, bytes.subarray(kept.length)) : 0);
      last = length < blockBytes;
      this.#counters.inputBytes += reader.bytesRead - taken;
      taken = reader.bytesRead;
      this.#counters.bytes += length;
      const release = releaseOnce('A block', () => buffers.give(buffer));
      yield { input, sequence: sequence++, index, offset, ptr, length, headroom: HEADROOM, last, release };
      offset += length;
    }
    return sequence;
  }

  #reader(input: InputFile): TextReader {
    return new TextReader(input, this.#windowBytes);
  }

  /** Fills `target`, or rejects at once when the run is stopped: a read from an idle pipe can only be left behind. */
  #fill(reader: TextReader, target: Uint8Array): Promise<number> {
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(signal.reason as Error);
      if (signal.aborted) return stop();
      signal.addEventListener('abort', stop, { once: true });
      reader.fill(target).then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }
}

/** Closes a reader; one whose read may never return (a pipe) is not waited for. */
async function close(reader: TextReader, input: InputFile): Promise<void> {
  const closed = reader.close();
  if (input.size !== undefined) await closed;
  else closed.catch(() => undefined);
}
