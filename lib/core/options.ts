/** What a job is told, validated once at the door (`validateOptions`) and passed inwards as is. */

/** The user's names for the four columns. */
export interface ColumnNames {
  readonly id: string;
  readonly user: string;
  readonly ip: string;
  readonly value: string;
}

export type GroupBy = 'region' | 'user';
export type Compression = 'zstd' | 'snappy' | 'gzip' | 'none';
export type ParquetEncoding = 'auto' | 'plain';

export const groupings: readonly GroupBy[] = ['region', 'user'];
export const compressions: readonly Compression[] = ['zstd', 'snappy', 'gzip', 'none'];
export const parquetEncodings: readonly ParquetEncoding[] = ['auto', 'plain'];

/** Decimal places that a value may have. */
export const MAX_VALUE_SCALE = 6;
/** The region of an address that gives none. */
export const UNKNOWN_REGION = 'ZZ';

export interface JobOptions {
  /** Paths of files and folders; `-` is standard input. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly overwrite: boolean;
  readonly columns: ColumnNames;
  /** Decimal places of the value column; undefined = found in the first block. */
  readonly valueScale: number | undefined;
  /** Path of an MMDB file; undefined = the embedded one. */
  readonly geoDb: string | undefined;
  /** Dotted path into a database record; undefined = `country.iso_code`, else `country_code`. */
  readonly geoField: string | undefined;
  readonly groupBy: GroupBy;
  readonly compression: Compression;
  readonly parquetEncoding: ParquetEncoding;
  /** Folder for temporary files; undefined = beside the output. */
  readonly temp: string | undefined;
}

export const defaultColumns: ColumnNames = { id: 'log_id', user: 'user_id', ip: 'ip_address', value: 'watch_time(min)' };
export const DEFAULT_OUTPUT = './etl-output';
