/** What the writer is told about a row group: functions of the options and the row group alone. */
import type { Compression, GroupBy, ParquetEncoding } from '../core/options.ts';
import type { ResultColumns } from '../core/stage.ts';
import { PARTITION_COLUMN } from './hive-path.ts';
import type { Settings } from './parquet-wasm.ts';

export interface EncoderOptions {
  readonly compression: Compression;
  readonly encoding: ParquetEncoding;
  readonly groupBy: GroupBy;
}

/** Names of the columns that a row group has in any case, in their order. */
export const COLUMNS = { user: 'user_id', total: 'total_watch_time', count: 'log_count' } as const;

/**
 * A page ends at so many bytes or at 20000 rows, looked at after every so many values. Small pages, because the writer
 * holds several copies of one: 256 KiB instead of 1 MiB takes 4 MB less for long ids, and they cost 1 % in size. Each look
 * costs as much as a few rows: with 1024 values instead of 64 for short ids, encoding takes 4 % less.
 */
export const PAGE_SIZE = 256 << 10;
const LEAST_VALUES = 64;
const MOST_VALUES = 1024;

// Numbers of parquet-wasm's enums, which would have to be loaded to be asked.
const CODEC = { zstd: 5, snappy: 1, gzip: 2, none: 0 } as const;
const PLAIN = 0;
const DELTA_BINARY_PACKED = 4;
const DELTA_BYTE_ARRAY = 6;
const NO_STATISTICS = 0;
const PAGE_STATISTICS = 2;

/** `statistics`: whether the writer makes them for all columns; else only for the region's. */
export function writerSettings({ compression, encoding, groupBy }: EncoderOptions, batch: ResultColumns, statistics: boolean): Settings {
  return (wasm, text) => {
    let settings = wasm.writerpropertiesbuilder_new();
    settings = wasm.writerpropertiesbuilder_setCompression(settings, CODEC[compression]);
    settings = wasm.writerpropertiesbuilder_setStatisticsEnabled(settings, PAGE_STATISTICS);
    settings = wasm.writerpropertiesbuilder_setMaxRowGroupSize(settings, batch.rows);
    settings = wasm.writerpropertiesbuilder_setWriteBatchSize(settings, valuesBetweenLooks(batch));
    settings = wasm.writerpropertiesbuilder_setDataPageSizeLimit(settings, PAGE_SIZE);
    settings = wasm.writerpropertiesbuilder_setDictionaryEnabled(settings, 0);
    const encode = (column: string, how: number): void => {
      settings = wasm.writerpropertiesbuilder_setColumnEncoding(settings, ...text(column), how);
    };
    if (encoding === 'plain') {
      settings = wasm.writerpropertiesbuilder_setEncoding(settings, PLAIN);
    } else {
      encode(COLUMNS.user, DELTA_BYTE_ARRAY);
      encode(COLUMNS.total, DELTA_BINARY_PACKED);
      encode(COLUMNS.count, DELTA_BINARY_PACKED);
      if (groupBy === 'user') settings = wasm.writerpropertiesbuilder_setColumnDictionaryEnabled(settings, ...text(PARTITION_COLUMN), 1);
    }
    if (!statistics) {
      for (const column of Object.values(COLUMNS)) {
        settings = wasm.writerpropertiesbuilder_setColumnStatisticsEnabled(settings, ...text(column), NO_STATISTICS);
      }
    }
    return wasm.writerpropertiesbuilder_build(settings);
  };
}

/** For a file that is no part of a dataset: one row group, dictionaries, no statistics. */
export function plainSettings(compression: Compression, rows: number): Settings {
  return (wasm) => {
    let settings = wasm.writerpropertiesbuilder_new();
    settings = wasm.writerpropertiesbuilder_setCompression(settings, CODEC[compression]);
    settings = wasm.writerpropertiesbuilder_setStatisticsEnabled(settings, NO_STATISTICS);
    settings = wasm.writerpropertiesbuilder_setMaxRowGroupSize(settings, Math.max(rows, 1));
    return wasm.writerpropertiesbuilder_build(settings);
  };
}

/** So that ids of average length go at most an eighth beyond a page. The longest ones can make it all of ROW_GROUP_BYTES. */
function valuesBetweenLooks({ rows, userOffsets }: ResultColumns): number {
  const values = Math.floor((PAGE_SIZE / 8) * (rows / Math.max(userOffsets[rows]!, 1)));
  return Math.max(LEAST_VALUES, Math.min(values, MOST_VALUES));
}
