/**
 * The geo stage of lane 1: the batches of blocks in, the same batches out, in the same order, with BATCH_REGION written for
 * every row that is not rejected. An address without an entry, private, empty or invalid gets the number of the unknown region:
 * no row is lost here, and none is counted here (duplicates are still among them). Holds no memory of its own; the
 * range table is only read and may be shared by several stages.
 */
import { Transform } from 'node:stream';
import { mapped, type Pieces } from '../core/pieces.ts';
import type { Batch } from '../core/stage.ts';
import { BATCH_BYTES, BATCH_ROWS } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { GeoKernel } from '../kernels/twins/geo.ts';
import type { RangeTable } from './range-table.ts';

export interface GeoStageOptions {
  readonly memory: LinearMemory;
  readonly kernel: GeoKernel;
  readonly table: Pick<RangeTable, 'ptr'>;
}

/** A Transform from Pieces<Batch> to Pieces<Batch>; the very same batches come out. */
export function createGeoStage({ memory, kernel, table }: GeoStageOptions): Transform {
  function lookUp({ ptr, rows }: Batch): void {
    memory.assertHolds(ptr, BATCH_BYTES, 'A batch');
    kernel.lookupBatch(table.ptr, ptr, Math.min(rows, BATCH_ROWS));
  }

  return new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(batches: Pieces<Batch>, _encoding, done) {
      done(null, mapped(batches, lookUp));
    },
  });
}
