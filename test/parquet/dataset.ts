/** Writes batches with the stage into a folder that lives as long as the test. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TestContext } from 'node:test';
import { newCounters, type Counters } from '../../lib/core/counters.ts';
import { createParquetStage, type ParquetStageOptions } from '../../lib/parquet/stage.ts';
import { temporaryFolder } from '../temporary.ts';
import { resultBatch, type Row } from './batches.ts';
import type { Dataset } from './readers.ts';

export type WriteOptions = Partial<ParquetStageOptions>;

export function stageOptions(folder: string, options: WriteOptions = {}): ParquetStageOptions {
  return {
    folder, groupBy: 'region', scale: 0, compression: 'zstd', encoding: 'auto', version: '1.2.3',
    metadata: { zebra: '1', alpha: 'ü' }, counters: newCounters(), ...options,
  };
}

/** Each group of rows becomes one batch; checks that every batch was released once. */
export async function writeDataset(
  context: TestContext, groups: readonly (readonly Row[])[], options: WriteOptions = {},
): Promise<Dataset & { counters: Counters }> {
  const full = stageOptions(temporaryFolder(context), options);
  const stage = createParquetStage(full);
  const batches = groups.map((rows) => resultBatch(rows, { groupBy: full.groupBy }));
  await pipeline(Readable.from(batches), stage);
  assert.ok(batches.every(({ released }) => released === 1), 'every batch is released once');
  return { folder: full.folder, files: stage.files, scale: full.scale, counters: full.counters };
}
