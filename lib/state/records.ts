/** What the state keeps besides the index: the head, records of commits and of inputs, as sealed JSON. */
import { damaged } from './errors.ts';
import type { Seals, SealedValue } from './seal.ts';

/** Of the state, one for all that is in it. 1 had pages of ids in LevelDB. */
export const FORMAT = 2;

/** Rows, over all inputs. */
export interface RowCounts {
  readonly read: number;
  readonly counted: number;
  readonly duplicates: number;
  readonly rejected: number;
}

/** What the caller knows the meaning of: plain data, kept as it is. */
export type Opaque = Readonly<Record<string, unknown>>;

/** What a caller says of the state that its commit makes. */
export interface NewCommit {
  /** Version of etl-stream. */
  readonly version: string;
  /** ISO 8601. */
  readonly when: string;
  /** What later runs must agree with: columns, what is grouped by, the scale of values. */
  readonly schema: Opaque;
  /** Distinct ids that are known: those of all commits but what was forgotten. */
  readonly ids: number;
  /** Over all commits. */
  readonly rows: RowCounts;
  /** Files of totals. */
  readonly totals: readonly (Opaque & { readonly file: string; readonly rows: number })[];
  readonly regions: readonly string[];
  readonly published?: Opaque;
}

/** The last commit. */
export interface Head extends NewCommit {
  /** Version of the state's format. */
  readonly format: typeof FORMAT;
  /** 1, 2, ... */
  readonly commit: number;
}

/** The index that belongs to a commit. */
export interface NewIndex {
  readonly value: Uint8Array;
  /** Bytes of what it has more than the one before. */
  readonly addedBytes: number;
}

/** What a caller says of an input that it read. */
export interface NewInput {
  /** Absolute. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds since 1970, in decimal: more digits than a number holds. */
  readonly mtime: string;
  /** Hexadecimal. */
  readonly fingerprint: string;
  /** That were read of it. */
  readonly rows: number;
}

/** An input, as the last commit that read it knows it. */
export interface InputRecord extends NewInput {
  readonly commit: number;
  readonly when: string;
}

/** What one commit added. */
export interface CommitRecord {
  readonly commit: number;
  readonly when: string;
  /** How many inputs it read. */
  readonly inputs: number;
  readonly rows: RowCounts;
  /** Of the ids that it added. */
  readonly bytes: number;
}

/** What stands under HEAD_KEY. All else is bound to it: it is written in one batch with what it tells of. */
export interface StoredHead {
  readonly format: typeof FORMAT;
  /** 0 before the first commit. */
  readonly commit: number;
  readonly content?: NewCommit;
  /** How many inputs the ledger has, and the sum of their seals modulo 2^64. */
  readonly ledger: { readonly inputs: number; readonly seals: string };
  /** The seal of the index. */
  readonly index: string;
}

export function encodeRecord(seals: Seals, key: Uint8Array, record: object): SealedValue {
  return seals.seal(key, Buffer.from(JSON.stringify(record)));
}

/** `what` it is a record of, for the message. Throws ETL_STATE_DAMAGED. */
export function decodeRecord<T>(seals: Seals, key: Uint8Array, bytes: Uint8Array, folder: string, what: string): T {
  return tryDecodeRecord<T>(seals, key, bytes) ?? fail(damaged(folder, `the record of ${what} is not what was written`));
}

export function tryDecodeRecord<T>(seals: Seals, key: Uint8Array, bytes: Uint8Array): T | undefined {
  const opened = seals.open(key, bytes);
  return opened && (JSON.parse(Buffer.from(opened.value).toString()) as T);
}

function fail(error: Error): never {
  throw error;
}

export function rowsSince(rows: RowCounts, earlier: RowCounts | undefined): RowCounts {
  return {
    read: rows.read - (earlier?.read ?? 0),
    counted: rows.counted - (earlier?.counted ?? 0),
    duplicates: rows.duplicates - (earlier?.duplicates ?? 0),
    rejected: rows.rejected - (earlier?.rejected ?? 0),
  };
}
