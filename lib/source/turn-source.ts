/**
 * lane 1, first stage of one thread among several that read files in turns (read-turns.ts): the blocks that this thread
 * gets, each read when it is asked for. A block's bytes are in the cache of the core that parses it, and one buffer is
 * enough: what follows in the same thread needs nothing of a block when the next one is read.
 * Memory: one block with its headroom; given back as by `BlockSource`.
 */
import { Readable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { releaseOnce, type Block } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { SlabPool } from '../kernels/slab-pool.ts';
import { HEADROOM, SLACK } from './blocks.ts';
import type { InputFile } from './inputs.ts';
import type { ReadTurns } from './read-turns.ts';
import { endsInput, readAt, type ReadSync } from './reader.ts';

const BUFFERS = 1;

export interface TurnSourceOptions {
  /** Of the run, all of them files of text, by number. */
  readonly inputs: readonly InputFile[];
  readonly turns: ReadTurns;
  /** Of this thread. */
  readonly memory: LinearMemory;
  readonly counters: Counters;
  /** The same for all threads. */
  readonly blockBytes: number;
  /**
   * Opens an input, by its number: its descriptor, which all threads use until the next one is opened. A descriptor that
   * a thread opens would be closed when that thread ends, under the eyes of the others.
   */
  readonly open: (input: number) => Promise<number>;
  /** Default `fs.readSync`. */
  readonly readSync?: ReadSync;
}

/**
 * The stream of blocks. Fails with ETL_INPUT_READ; with ETL_ABORTED when the turns are stopped, which it does itself when it is
 * destroyed before its end: nobody else can have the block that it read. Throws ETL_MEMORY.
 */
export function readInTurns(options: TurnSourceOptions): Readable {
  const { memory, turns, blockBytes } = options;
  const buffers = new SlabPool(memory, BUFFERS, HEADROOM + blockBytes + SLACK, 'input blocks');
  return new Readable({
    objectMode: true,
    highWaterMark: 0, // a block that waits here could be done by another thread, and holds up those behind it
    read() {
      // By way of the event loop, which is not held up otherwise for as long as there is anything to read.
      setImmediate(() => {
        next(options, buffers, () => this.destroyed).then((block) => this.push(block), (error: Error) => this.destroy(error));
      });
    },
    destroy(error, callback) {
      if (this.readableEnded) {
        buffers.end();
      } else {
        turns.stop();
        buffers.close();
      }
      callback(error);
    },
  });
}

async function next(options: TurnSourceOptions, buffers: SlabPool, stopped: () => boolean): Promise<Block | null> {
  const { inputs, turns, memory, counters, blockBytes, open, readSync } = options;
  const buffer = await buffers.take();
  const sequence = await turns.take();
  const place = turns.place;
  const input = inputs[place.input];
  if (!input) {
    turns.pass(place);
    buffers.give(buffer);
    return null;
  }
  const { index, offset } = place;
  const fd = index === 0 ? await open(place.input) : place.fd;
  if (stopped()) throw new EtlError('ETL_ABORTED', 'Reading was stopped.');
  const ptr = buffer + HEADROOM;
  const length = readAt(input, fd, memory.bytes(ptr, blockBytes), offset, readSync);
  const last = endsInput(input, offset, length, blockBytes);
  turns.pass(last ? { input: place.input + 1, index: 0, offset: 0, fd: -1 } : { input: place.input, index: index + 1, offset: offset + length, fd });
  counters.inputBytes += length; // text: as it stands
  counters.bytes += length;
  const release = releaseOnce('A block', () => buffers.give(buffer));
  return { input, sequence, index, offset, ptr, length, headroom: HEADROOM, last, release };
}
