/**
 * The KeySet that knows this run only: one table, emptied after each part. Once it is full, it finds only duplicates of
 * what is in it; all other rows are put off. Nothing survives the run.
 */
import type { PartitionChunk } from '../core/stage.ts';
import { IdTable, type IdTableOptions } from './id-table.ts';
import type { Admitted, KeySet } from './key-set.ts';

export class MemoryKeySet implements KeySet {
  readonly table: IdTable;

  constructor(options: IdTableOptions) {
    this.table = new IdTable(options);
  }

  begin(): void {}

  admit(chunk: PartitionChunk, area: number, max: number): Readonly<Admitted> {
    return this.table.admit(chunk, area, max);
  }

  end(): void {
    this.table.clear();
  }

  close(): void {
    this.table.close();
  }
}
