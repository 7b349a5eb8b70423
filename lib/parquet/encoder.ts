/**
 * Encodes the columns of one ResultBatch as one row group, by the Apache Rust writer compiled to WASM (parquet-wasm). What
 * comes out is a complete Parquet file of its own, which footer.ts then joins to others: so the writer never holds more
 * than one row group, every batch is exactly one, and a row group may be encoded anywhere (see encode-task.ts).
 *
 * Encodings, measured on 131072 sorted rows (ids `user_00012345` / UUIDs, skewed sums; ns and bytes a row, zstd):
 *
 *   user_id, total, count           user_…         UUID
 *   delta, delta, delta            136   4.45    279  20.47   <- auto: the fastest; every reader tested takes it
 *   delta, delta, dictionary       164   3.93    299  19.97
 *   delta, dictionary, dictionary  183   3.57    329  19.60
 *   plain, delta, delta            163   5.73    470  21.36
 *   dictionary for all             300   5.76    530  20.88
 *
 * `plain` is for readers that know neither delta nor dictionary pages.
 */
import type { ResultColumns } from '../core/stage.ts';
import { EtlError } from '../core/errors.ts';
import { ArrowIpc, type Column } from './arrow-ipc.ts';
import { PARTITION_COLUMN } from './hive-path.ts';
import type { ParquetWasm, WrittenFile } from './parquet-wasm.ts';
import { noStatistics, statisticsOf } from './statistics.ts';
import { RegionStrings, wellFormedUsers } from './strings.ts';
import { COLUMNS, writerSettings, type EncoderOptions } from './writer-settings.ts';

export interface EncodedRowGroup {
  /** A whole Parquet file with one row group, and its statistics (see statistics.ts); owned by the receiver, who moves it before the batch is released. */
  readonly file: Pick<WrittenFile, 'length' | 'moveTo'>;
  readonly rows: number;
  /** False when ids had to be repaired (see strings.ts), so that their order is no longer sure. */
  readonly sorted: boolean;
}

export type { EncoderOptions } from './writer-settings.ts';

/** In smaller row groups it takes the writer less to compare all values than us to write the result. */
const OWN_STATISTICS_ROWS = 1024;

export class RowGroupEncoder {
  readonly #writer: ParquetWasm;
  readonly #options: EncoderOptions;
  readonly #ipc = new ArrowIpc();
  readonly #regions = new RegionStrings();

  constructor(writer: ParquetWasm, options: EncoderOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  /** Copies what it needs: the columns may be overwritten afterwards. Throws ETL_INTERNAL when the writer fails. */
  encode(batch: ResultColumns): EncodedRowGroup {
    try {
      return this.#write(batch, true);
    } catch (cause) {
      // The usual reason is an id that is not UTF-8, which the writer refuses; looking for that first would cost time.
      const repaired = wellFormedUsers(batch);
      if (repaired) return this.#write({ ...batch, ...repaired }, false);
      throw new EtlError('ETL_INTERNAL', `A row group of ${batch.rows} rows could not be encoded as Parquet: ${String(cause)}`, { cause });
    }
  }

  /** `sorted`: the ids are, and so need not be compared. */
  #write(batch: ResultColumns, sorted: boolean): EncodedRowGroup {
    const { rows } = batch;
    const columns: Column[] = [
      { name: COLUMNS.user, offsets: batch.userOffsets, bytes: batch.userBytes },
      { name: COLUMNS.total, values: batch.totals },
      { name: COLUMNS.count, values: batch.counts },
    ];
    if (batch.topRegions) columns.push({ name: PARTITION_COLUMN, ...this.#regions.fill(batch.topRegions, rows) });
    const stream = this.#ipc.layOut(rows, columns);
    const own = sorted && rows >= OWN_STATISTICS_ROWS;
    const settings = writerSettings(this.#options, batch, !own);
    const file = this.#writer.write(stream.bytes, (target) => stream.write(target), settings);
    return { file: followedBy(own ? statisticsOf(file.bytes, batch) : noStatistics(), file), rows, sorted };
  }
}

function followedBy(more: Uint8Array, file: WrittenFile): EncodedRowGroup['file'] {
  return {
    length: file.length + more.length,
    moveTo(target) {
      file.moveTo(target);
      target.set(more, file.length);
    },
  };
}
