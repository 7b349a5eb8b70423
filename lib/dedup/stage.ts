/**
 * The start of lane 2: of each log_id, the first row wins.
 *
 * Takes chunks of partitions (each part's in input order, its last one marked), gives the winners of each in the same order,
 * as lists that are never empty. A chunk is released when its last list was asked for. Rows that the key set has no room
 * for are put off by the chunk, which is waited for; the other rows are added to `counters.duplicate`.
 *
 * Memory: one list of 16 KiB, so that its rows are still in the CPU's cache when they are used, and what the key set takes. The list is given back when the stream
 * is closed, and that is when nothing is under way any more, so that the key set may be closed after it. What survives a
 * crash is the key set's business: a part is handed to its `end` once all its winners were used.
 */
import type { Transform } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { PieceStage } from '../core/pieces.ts';
import type { PartitionChunk, Winners } from '../core/stage.ts';
import { WINNERS_MAX } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { KeySet } from './key-set.ts';

const LIST_BYTES = 4 * WINNERS_MAX;

export interface DedupStageOptions {
  readonly memory: LinearMemory;
  readonly keySet: KeySet;
  readonly counters: Pick<Counters, 'duplicate'>;
}

/** A Transform of PartitionChunk into Pieces<Winners>. The key set is closed by its owner, after the stream. */
export function createDedupStage(options: DedupStageOptions): Transform {
  return new DedupStage(options);
}

class DedupStage extends PieceStage<PartitionChunk, Winners> {
  readonly #options: DedupStageOptions;
  readonly #list: number;
  /** The part that was begun and has not ended. */
  #open: { readonly partition: number; readonly part: number } | undefined;
  #chunk!: PartitionChunk;
  /** The chunk's rows were all gone over. */
  #admitted = false;
  /** What the key set or the chunk was last waited for. */
  #running: Promise<unknown> | undefined;

  constructor(options: DedupStageOptions) {
    super();
    this.#options = options;
    this.#list = options.memory.slab(LIST_BYTES, 'winners');
  }

  protected override begin(chunk: PartitionChunk): void | Promise<void> {
    this.#chunk = chunk;
    this.#admitted = false;
    const { partition, part, range } = chunk;
    const open = this.#open;
    if (!open) {
      this.#open = { partition, part };
      return this.#waits(this.#options.keySet.begin(partition, part, range));
    }
    if (open.partition === partition && open.part === part) return undefined;
    throw new EtlError(
      'ETL_INTERNAL',
      `Part ${part} of partition ${partition} began before the last chunk of part ${open.part} of ${open.partition}.`,
    );
  }

  protected override piece(): Winners | undefined | Promise<Winners | undefined> {
    const { keySet, counters } = this.#options;
    while (!this.#admitted) {
      const { rows, winners, deferred, done } = keySet.admit(this.#chunk, this.#list, WINNERS_MAX);
      this.#admitted = done;
      counters.duplicate += rows - winners - deferred;
      if (winners > 0) return { ptr: this.#list, count: winners };
      const putOff = deferred > 0 ? this.#waits(this.#chunk.defer(this.#list, deferred)) : undefined;
      if (putOff) return putOff.then(() => (this.destroyed ? undefined : this.piece()));
    }
    return this.#end();
  }

  protected override leave(chunk: PartitionChunk): void {
    chunk.release();
  }

  protected override async close(): Promise<void> {
    await this.#running?.catch(() => undefined); // told to who waits for it
    this.#options.memory.giveSlab(this.#list, LIST_BYTES);
  }

  #end(): undefined | Promise<undefined> {
    const { partition, part, last } = this.#chunk;
    if (!last) return undefined;
    this.#open = undefined;
    return this.#waits(this.#options.keySet.end(partition, part))?.then(() => undefined);
  }

  #waits(running: void | Promise<void>): Promise<void> | undefined {
    this.#running = running || undefined;
    return running || undefined;
  }
}
