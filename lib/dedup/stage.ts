/**
 * The start of lane 2: of each log_id, the first row wins.
 *
 * Takes chunks of partitions (each part's in input order, its last one marked), gives Winners in the same order; no
 * Winners spans two chunks, and none is empty. At most AREAS of them are out at once: the next waits until one is
 * released. A chunk is released with the last of its Winners, at once if it has none. Rows that the key set has no room
 * for are put off by the chunk, which is waited for; the other rows are added to `counters.duplicate`.
 *
 * Memory: 16 KiB an area, and what the key set takes. The areas are given back when the stream has ended or failed and
 * all Winners are released; those that nobody read it releases itself. It closes when nothing is under way any more, so
 * that the key set may be closed after it; a chunk that it did not take up is left to its store. What survives a crash is the key set's business: a part is handed to its
 * `end` once all its Winners were pushed, not when they were used.
 */
import { Transform, type TransformCallback } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { releaseOnce, type PartitionChunk, type Winners } from '../core/stage.ts';
import { WINNERS_MAX } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { SlabPool } from '../kernels/slab-pool.ts';
import type { KeySet } from './key-set.ts';

/** One with the consumer, one on the way, one being filled. */
const AREAS = 3;
const AREA_BYTES = 4 * WINNERS_MAX;

export interface DedupStageOptions {
  readonly memory: LinearMemory;
  readonly keySet: KeySet;
  readonly counters: Pick<Counters, 'duplicate'>;
}

/** A Transform of PartitionChunk into Winners. The key set is closed by its owner, after the stream. */
export function createDedupStage(options: DedupStageOptions): Transform {
  return new DedupStage(options);
}

class DedupStage extends Transform {
  readonly #options: DedupStageOptions;
  readonly #areas: SlabPool;
  /** The part that was begun and has not ended. */
  #open: { readonly partition: number; readonly part: number } | undefined;
  #running: Promise<void> | undefined;

  constructor(options: DedupStageOptions) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#options = options;
    this.#areas = new SlabPool(options.memory, AREAS, AREA_BYTES, 'winners');
  }

  override _transform(chunk: PartitionChunk, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#running = this.#dedup(chunk).then(() => callback(), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#areas.end();
    void Promise.resolve(this.#running).then(() => {
      this.removeAllListeners('data'); // what nobody has read is nobody's
      for (let unread = this.read() as Winners | null; unread; unread = this.read() as Winners | null) unread.release();
      callback(error);
    });
  }

  async #dedup(chunk: PartitionChunk): Promise<void> {
    const { keySet, counters } = this.#options;
    let holders = 1;
    const leave = (): void => {
      if (--holders === 0) chunk.release();
    };
    try {
      await this.#begin(chunk);
      for (let done = false; !done; ) {
        const area = await this.#areas.take();
        let winners = 0;
        try {
          const admitted = keySet.admit(chunk, area, WINNERS_MAX);
          ({ done, winners } = admitted);
          counters.duplicate += admitted.rows - winners - admitted.deferred;
          if (admitted.deferred > 0) await chunk.defer(area, admitted.deferred);
        } finally {
          if (winners === 0) this.#areas.give(area);
        }
        if (winners === 0) continue;
        holders++;
        const release = releaseOnce('A list of winners', () => {
          this.#areas.give(area);
          leave();
        });
        this.push({ ptr: area, count: winners, release } satisfies Winners);
      }
    } finally {
      leave();
    }
    if (chunk.last) {
      await keySet.end(chunk.partition, chunk.part);
      this.#open = undefined;
    }
  }

  async #begin({ partition, part }: PartitionChunk): Promise<void> {
    const open = this.#open;
    if (!open) {
      await this.#options.keySet.begin(partition, part);
      this.#open = { partition, part };
    } else if (open.partition !== partition || open.part !== part) {
      throw new EtlError(
        'ETL_INTERNAL',
        `Part ${part} of partition ${partition} began before the last chunk of part ${open.part} of ${open.partition}.`,
      );
    }
  }
}
