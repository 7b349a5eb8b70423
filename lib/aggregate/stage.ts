/**
 * lane 2, the last stage: adds the winners of dedup to the aggregate, a table or ranges, and releases them. Gives nothing;
 * when it has finished, the aggregate is to be finished. Order does not matter. Holds one list of winners; waits while a run
 * is written, and with it the stages before.
 */
import { Writable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import type { Winners } from '../core/stage.ts';
import type { Table } from './range-scatter.ts';

export interface AggregateStageOptions {
  readonly aggregator: Table;
  readonly counters: Counters;
}

/** A Writable of Winners, in object mode. */
export function createAggregateStage({ aggregator, counters }: AggregateStageOptions): Writable {
  return new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(winners: Winners, _encoding, done) {
      const settle = (error?: Error): void => {
        if (!error) counters.counted += winners.count;
        winners.release();
        done(error);
      };
      let pending: Promise<void> | undefined;
      try {
        pending = aggregator.add(winners);
      } catch (error) {
        settle(error as Error);
        return;
      }
      if (pending) pending.then(() => settle(), settle);
      else settle();
    },
  });
}
