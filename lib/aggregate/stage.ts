/**
 * lane 2, the last stage: adds the winners of dedup to the aggregate, a table or ranges. Gives nothing; when it has
 * finished, the aggregate is to be finished. Order does not matter. Waits while a run is written, and with it the stages before.
 */
import { Writable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { forEachPiece, type Pieces } from '../core/pieces.ts';
import type { Winners } from '../core/stage.ts';
import type { Table } from './range-scatter.ts';

export interface AggregateStageOptions {
  readonly aggregator: Table;
  readonly counters: Counters;
}

/** A Writable of Pieces<Winners>. */
export function createAggregateStage({ aggregator, counters }: AggregateStageOptions): Writable {
  const add = (winners: Winners): void | Promise<void> => {
    const adding = aggregator.add(winners);
    if (adding) return adding.then(() => { counters.counted += winners.count; });
    counters.counted += winners.count;
  };
  return new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(lists: Pieces<Winners>, _encoding, done) {
      forEachPiece(lists, add).then(() => done(), done);
    },
  });
}
