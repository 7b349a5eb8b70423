/**
 * Encodes one ResultBatch as one row group, by the Apache Rust writer compiled to WASM (parquet-wasm). What comes out
 * is a complete Parquet file of its own, which footer.ts then joins to others: so the writer never holds more than one
 * row group, every batch is exactly one, and a row group may be encoded anywhere (bytes are all that has to travel).
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
import { readFile } from 'node:fs/promises';
import type { WriterProperties } from 'parquet-wasm/esm/parquet_wasm.js';
import type { Compression, GroupBy, ParquetEncoding } from '../core/options.ts';
import type { ResultBatch } from '../core/stage.ts';
import { EtlError } from '../core/errors.ts';
import { WebAssembly } from '../kernels/webassembly.ts';
import { ArrowIpc, type Column } from './arrow-ipc.ts';
import { PARTITION_COLUMN } from './hive-path.ts';
import { stringColumn, wellFormedUsers } from './strings.ts';

type ParquetWasm = typeof import('parquet-wasm/esm/parquet_wasm.js');

export interface EncodedRowGroup {
  /** A whole Parquet file with one row group; owned by the receiver. */
  readonly file: Uint8Array;
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
 * A page ends at 1 MiB or 20000 rows, looked at after every so many values: ids of MAX_USER_BYTES overshoot by 2 MiB.
 */
const WRITE_BATCH_ROWS = 256;

let loading: Promise<ParquetWasm> | undefined;

/** Compiles the writer (about 25 ms, half of it off this thread), once a process; start it early, before it is needed. */
export function loadWriter(): Promise<ParquetWasm> {
  return (loading ??= load());
}

async function load(): Promise<ParquetWasm> {
  const wasm = readFile(new URL(import.meta.resolve('parquet-wasm/esm/parquet_wasm_bg.wasm')));
  const [writer, module] = await Promise.all([
    import('parquet-wasm/esm/parquet_wasm.js'),
    wasm.then((bytes) => WebAssembly.compile(bytes)),
  ]);
  writer.initSync({ module });
  return writer;
}

export class RowGroupEncoder {
  readonly #writer: ParquetWasm;
  readonly #options: EncoderOptions;
  readonly #ipc = new ArrowIpc();

  constructor(writer: ParquetWasm, options: EncoderOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  /** Copies what it needs: the batch may be released afterwards. Throws ETL_INTERNAL when the writer fails. */
  encode(batch: ResultBatch): EncodedRowGroup {
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

  #write(batch: ResultBatch): Uint8Array {
    const columns: Column[] = [
      { name: 'user_id', offsets: batch.userOffsets, bytes: batch.userBytes },
      { name: 'total_watch_time', values: batch.totals },
      { name: 'log_count', values: batch.counts },
    ];
    if (batch.topRegions) columns.push({ name: PARTITION_COLUMN, ...stringColumn(batch.topRegions, batch.rows) });
    const table = this.#writer.Table.fromIPCStream(this.#ipc.encode(batch.rows, columns));
    return this.#writer.writeParquet(table, this.#properties(batch.rows)); // frees both arguments
  }

  #properties(rows: number): WriterProperties {
    const { Compression, Encoding, EnabledStatistics, WriterPropertiesBuilder } = this.#writer;
    const codec = {
      zstd: Compression.ZSTD, snappy: Compression.SNAPPY, gzip: Compression.GZIP, none: Compression.UNCOMPRESSED,
    }[this.#options.compression];
    const builder = new WriterPropertiesBuilder()
      .setCompression(codec)
      .setStatisticsEnabled(EnabledStatistics.Page)
      .setMaxRowGroupSize(rows)
      .setWriteBatchSize(WRITE_BATCH_ROWS)
      .setDictionaryEnabled(false);
    if (this.#options.encoding === 'plain') return builder.setEncoding(Encoding.PLAIN).build();
    const delta = builder
      .setColumnEncoding('user_id', Encoding.DELTA_BYTE_ARRAY)
      .setColumnEncoding('total_watch_time', Encoding.DELTA_BINARY_PACKED)
      .setColumnEncoding('log_count', Encoding.DELTA_BINARY_PACKED);
    if (this.#options.groupBy === 'region') return delta.build();
    return delta.setColumnDictionaryEnabled(PARTITION_COLUMN, true).build();
  }
}
