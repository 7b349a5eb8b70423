/** The KeySet that knows this run only: one table, emptied after each partition. Nothing survives the run. */
import type { PartitionChunk } from '../core/stage.ts';
import { IdTable, type IdTableOptions } from './id-table.ts';
import type { Admitted, KeySet } from './key-set.ts';

export class MemoryKeySet implements KeySet {
  readonly table: IdTable;

  constructor(options: IdTableOptions) {
    this.table = new IdTable(options);
  }

  begin(): void {}

  admit(chunk: PartitionChunk, winners: number, max: number): Readonly<Admitted> {
    return this.table.admit(chunk, winners, max);
  }

  end(): void {
    this.table.clear();
  }

  close(): void {
    this.table.close();
  }
}
