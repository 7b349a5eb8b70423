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
import type { Compression, GroupBy, ParquetEncoding } from '../core/options.ts';
import type { ResultColumns } from '../core/stage.ts';
import { EtlError } from '../core/errors.ts';
import { ArrowIpc, type Column } from './arrow-ipc.ts';
import { PARTITION_COLUMN } from './hive-path.ts';
import type { ParquetWasm, Settings, WrittenFile } from './parquet-wasm.ts';
import { RegionStrings, wellFormedUsers } from './strings.ts';

export interface EncodedRowGroup {
  /** A whole Parquet file with one row group; owned by the receiver, who moves it before the batch is released. */
  readonly file: Pick<WrittenFile, 'length' | 'moveTo'>;
  readonly rows: number;
  /** False when ids had to be repaired (see strings.ts), so that their order is no longer sure. */
  readonly sorted: boolean;
}

export interface EncoderOptions {
  readonly compression: Compression;
  readonly encoding: ParquetEncoding;
  readonly groupBy: GroupBy;
}

/**
 * A page ends at so many bytes or at 20000 rows, looked at after every so many values. Small pages, because the writer
 * holds several copies of one: 256 KiB instead of 1 MiB takes 4 MB less for long ids, and they cost 1 % in size.
 */
const PAGE_SIZE = 256 << 10;
const WRITE_BATCH_ROWS = 64;

// Numbers of parquet-wasm's enums, which would have to be loaded to be asked.
const CODEC = { zstd: 5, snappy: 1, gzip: 2, none: 0 } as const;
const PLAIN = 0;
const DELTA_BINARY_PACKED = 4;
const DELTA_BYTE_ARRAY = 6;
const PAGE_STATISTICS = 2;

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
    const { rows } = batch;
    try {
      return { file: this.#write(batch), rows, sorted: true };
    } catch (cause) {
      // The usual reason is an id that is not UTF-8, which the writer refuses; looking for that first would cost time.
      const repaired = wellFormedUsers(batch);
      if (repaired) return { file: this.#write({ ...batch, ...repaired }), rows, sorted: false };
      throw new EtlError('ETL_INTERNAL', `A row group of ${rows} rows could not be encoded as Parquet: ${String(cause)}`, { cause });
    }
  }

  #write(batch: ResultColumns): WrittenFile {
    const columns: Column[] = [
      { name: 'user_id', offsets: batch.userOffsets, bytes: batch.userBytes },
      { name: 'total_watch_time', values: batch.totals },
      { name: 'log_count', values: batch.counts },
    ];
    if (batch.topRegions) columns.push({ name: PARTITION_COLUMN, ...this.#regions.fill(batch.topRegions, batch.rows) });
    const stream = this.#ipc.layOut(batch.rows, columns);
    return this.#writer.write(stream.bytes, (target) => stream.write(target), this.#settings(batch.rows));
  }

  #settings(rows: number): Settings {
    const { compression, encoding, groupBy } = this.#options;
    return (wasm, text) => {
      let settings = wasm.writerpropertiesbuilder_new();
      settings = wasm.writerpropertiesbuilder_setCompression(settings, CODEC[compression]);
      settings = wasm.writerpropertiesbuilder_setStatisticsEnabled(settings, PAGE_STATISTICS);
      settings = wasm.writerpropertiesbuilder_setMaxRowGroupSize(settings, rows);
      settings = wasm.writerpropertiesbuilder_setWriteBatchSize(settings, WRITE_BATCH_ROWS);
      settings = wasm.writerpropertiesbuilder_setDataPageSizeLimit(settings, PAGE_SIZE);
      settings = wasm.writerpropertiesbuilder_setDictionaryEnabled(settings, 0);
      const encode = (column: string, how: number): void => {
        settings = wasm.writerpropertiesbuilder_setColumnEncoding(settings, ...text(column), how);
      };
      if (encoding === 'plain') {
        settings = wasm.writerpropertiesbuilder_setEncoding(settings, PLAIN);
      } else {
        encode('user_id', DELTA_BYTE_ARRAY);
        encode('total_watch_time', DELTA_BINARY_PACKED);
        encode('log_count', DELTA_BINARY_PACKED);
        if (groupBy === 'user') settings = wasm.writerpropertiesbuilder_setColumnDictionaryEnabled(settings, ...text(PARTITION_COLUMN), 1);
      }
      return wasm.writerpropertiesbuilder_build(settings);
    };
  }
}
