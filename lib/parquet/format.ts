/**
 * Field numbers of the structures of Parquet's metadata that are read or written here, and where in a file it stands; names as in
 * https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
 */

/** FileMetaData */
export const FILE = { schema: 2, rows: 3, rowGroups: 4, keyValues: 5, createdBy: 6 } as const;
/** SchemaElement */
export const SCHEMA = { name: 4, converted: 6, scale: 7, precision: 8, logical: 10 } as const;
/** RowGroup */
export const GROUP = { columns: 1, rows: 3, sorting: 4, fileOffset: 5, ordinal: 7 } as const;
/** ColumnChunk */
export const CHUNK = { metadata: 3, offsetIndexAt: 4, offsetIndexLength: 5, columnIndexAt: 6, columnIndexLength: 7 } as const;
/** ColumnMetaData */
export const COLUMN = { dataPageAt: 9, indexPageAt: 10, dictionaryPageAt: 11, statistics: 12, sizes: 16 } as const;
/** Statistics; the old ones are by signed order, for numbers only. */
export const STATISTICS = { oldMax: 1, oldMin: 2, nulls: 3, max: 5, min: 6, maxIsExact: 7, minIsExact: 8 } as const;
/** SizeStatistics */
export const SIZES = { stringBytes: 1 } as const;
/** ColumnIndex */
export const COLUMN_INDEX = { nullPages: 1, mins: 2, maxs: 3, order: 4, nulls: 5 } as const;
/** BoundaryOrder */
export const ORDER = { none: 0, ascending: 1, descending: 2 } as const;
/** OffsetIndex */
export const OFFSET_INDEX = { pages: 1, stringBytes: 2 } as const;
/** PageLocation */
export const PAGE = { at: 1, firstRow: 3 } as const;

/** Where a file's metadata stands, a FileMetaData structure, and all behind it: a view. */
export function metadataOf(file: Uint8Array): Uint8Array {
  const tail = file.length - 8; // its length, and the magic
  return file.subarray(tail - new DataView(file.buffer, file.byteOffset + tail).getUint32(0, true));
}
