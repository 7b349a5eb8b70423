/**
 * The end of lane 1: hashes the ids of batches and routes their rows to the partition store.
 *
 * Takes the batches of blocks in input order, keeps none: the next one is asked for when the store has copied the good rows of
 * the one before. Waits while the store does. The stream's end finishes the store; its failure leaves the store to its
 * owner, who closes it.
 */
import { Writable } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import { forEachPiece, type Pieces } from '../core/pieces.ts';
import type { Batch } from '../core/stage.ts';
import { BATCH_BYTES, BATCH_ROWS } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { PartitionStore } from './store.ts';

/** A segment header has 24 bits for each of the block and the input number. */
const NUMBERS = 2 ** 24;

export interface ScatterStageOptions {
  readonly memory: LinearMemory;
  readonly kernel: PartitionKernel;
  readonly store: Pick<PartitionStore, 'write' | 'finish'>;
}

/** A Writable of Pieces<Batch>. */
export function createScatterStage({ memory, kernel, store }: ScatterStageOptions): Writable {
  function scatter(batch: Batch): void | Promise<void> {
    const { ptr, rows, block, input } = batch;
    memory.assertHolds(ptr, BATCH_BYTES, 'A batch');
    if (rows > BATCH_ROWS) throw new EtlError('ETL_INTERNAL', `A batch claims ${rows} rows.`);
    if (block >= NUMBERS || input.number >= NUMBERS) {
      throw new EtlError(
        'ETL_INPUT_READ',
        `Block ${block} of input ${input.number} (${input.name}): neither number may reach ${NUMBERS}.`,
        { hint: 'Split the run into several.' },
      );
    }
    kernel.hashBatch(ptr, rows);
    return store.write(batch);
  }

  async function finish(): Promise<void> {
    await store.finish();
  }

  return new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(batches: Pieces<Batch>, _encoding, callback) {
      forEachPiece(batches, scatter).then(() => callback(), callback);
    },
    final(callback) {
      finish().then(() => callback(), callback);
    },
  });
}
