/** What queries are asked of, and what they may take: plain data, which goes to the process of DuckDB as it is. */

/** A snapshot of a dataset. */
export interface QuerySource {
  /** Absolute, without links: it becomes the process's working folder. */
  readonly folder: string;
  /** Parquet files below it, with `/`. Only regular files that are really inside are read. */
  readonly files: readonly string[];
  /** geo_region is a column of the files, not of their folders. */
  readonly byUser: boolean;
  /** Names of regions that are longer than a folder's name may be, by the folder that stands for them. */
  readonly longRegions?: Readonly<Record<string, string>>;
  /** Below the folder. */
  readonly rejects: { readonly path: string; readonly format: 'jsonl' | 'csv' } | undefined;
  readonly runs: MemoryTable;
  readonly inputs: MemoryTable;
}

/** A small table that is given as it is. */
export interface MemoryTable {
  /** `type`: of DuckDB. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Values are cast to the column's type. */
  readonly rows: readonly (readonly (string | number | bigint | boolean | null)[])[];
}

export interface Limits {
  /** Bytes resident: all of the process. */
  readonly memory: number;
  readonly threads: number;
  /** Of a query, while it works: what its reader takes is not counted. Default: none. */
  readonly seconds?: number;
  /** A folder of the session's own where DuckDB may spill, and to which it exports. Default: nowhere. */
  readonly temp?: string;
  /** Most bytes that it may spill. Default: most of the disk. */
  readonly tempBytes?: number;
  /** All statements are of this project's own code, with values bound to them, and are not looked at before they are executed. Default: false. */
  readonly areOwn?: boolean;
}

export interface ResultColumn {
  readonly name: string;
  /** As DuckDB has it: `DECIMAL(18,2)`. */
  readonly type: string;
  readonly isNumber: boolean;
}

/** Some rows of a result, by column. */
export interface ResultBatch {
  readonly rows: number;
  /** As text, as DuckDB casts it; null: NULL. */
  readonly columns: readonly (readonly (string | null)[])[];
}

export type ParameterValue = string | number | bigint | null;
export type Parameters = Readonly<Record<string, ParameterValue>>;
