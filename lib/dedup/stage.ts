/**
 * The start of lane 2: of each log_id, the first row wins.
 *
 * Takes chunks of partitions (each partition's in input order, its last one marked), gives Winners in the same order;
 * no Winners spans two chunks, and none is empty. At most AREAS of them are out at once: the next waits until one is
 * released. A chunk is released with the last of its Winners, at once if it has none. Adds the other rows to
 * `counters.duplicate`. Memory: 16 KiB an area, and what the key set takes for one partition. What survives a crash is
 * the key set's business: a partition is handed to its `end` once all its Winners were pushed, not when they were used.
 */
import { Transform } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { releaseOnce, type PartitionChunk, type Winners } from '../core/stage.ts';
import { WINNERS_MAX } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { KeySet } from './key-set.ts';

/** One with the consumer, one on the way, one being filled. */
const AREAS = 3;
const AREA_BYTES = 4 * WINNERS_MAX;

export interface DedupStageOptions {
  readonly memory: LinearMemory;
  readonly keySet: KeySet;
  readonly counters: Pick<Counters, 'duplicate'>;
}

/** A Transform of PartitionChunk into Winners. The key set is closed by its owner. */
export function createDedupStage({ memory, keySet, counters }: DedupStageOptions): Transform {
  const areas = memory.slab(AREAS * AREA_BYTES, 'winners');
  const free = Array.from({ length: AREAS }, (_, i) => areas + i * AREA_BYTES);
  let wake = (): void => {};
  let open: number | undefined;

  async function takeArea(): Promise<number> {
    while (free.length === 0) await new Promise<void>((resolve) => { wake = resolve; });
    return free.pop()!;
  }

  function giveArea(area: number): void {
    free.push(area);
    wake();
  }

  async function begin(partition: number): Promise<void> {
    if (open !== undefined) {
      throw new EtlError('ETL_INTERNAL', `Partition ${partition} began before the last chunk of ${open}.`);
    }
    await keySet.begin(partition);
    open = partition;
  }

  async function dedup(chunk: PartitionChunk, push: (winners: Winners) => void): Promise<void> {
    const { partition } = chunk;
    let holders = 1;
    const leave = (): void => {
      if (--holders === 0) chunk.release();
    };
    try {
      if (open !== partition) await begin(partition);
      for (let done = false; !done; ) {
        const area = await takeArea();
        const admitted = keySet.admit(chunk, area, WINNERS_MAX);
        counters.duplicate += admitted.rows - admitted.winners;
        done = admitted.done;
        if (admitted.winners === 0) {
          giveArea(area);
          continue;
        }
        holders++;
        const release = releaseOnce('A list of winners', () => {
          giveArea(area);
          leave();
        });
        push({ ptr: area, count: admitted.winners, release });
      }
    } finally {
      leave();
    }
    if (chunk.last) {
      await keySet.end(partition);
      open = undefined;
    }
  }

  return new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(chunk: PartitionChunk, _encoding, callback) {
      dedup(chunk, (winners) => this.push(winners)).then(() => callback(), callback);
    },
  });
}
