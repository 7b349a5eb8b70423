/** A row that cannot be counted is a value, not an error: why it was rejected and where it stands. */

/** Where a reject's line goes; the order of calls is the order of the input. */
export interface RejectSink {
  /** True when the sink wants the caller to await `drained()` before it goes on. */
  write(reject: Reject): boolean;
  drained(): Promise<void>;
}

export interface Reject {
  /** Name of the input. */
  readonly file: string;
  /** Physical line of the record's first byte, from 1. */
  readonly line: number;
  /** Byte offset of the record's first byte in the (decompressed) input. */
  readonly byte: number;
  /** Name of the column at fault, when it is one column. */
  readonly column: string | undefined;
  readonly code: RejectCode;
  readonly message: string;
  /** The record's bytes as text, cut at 4 KiB. */
  readonly raw: string;
}

/** Index = the number that kernels write into BATCH_STATUS. */
export const rejectCodes = [
  'none',
  'field_count',
  'bad_quote',
  'unterminated_quote',
  'record_too_long',
  'missing_id',
  'missing_user',
  'user_too_long',
  'missing_value',
  'bad_value',
  'value_precision',
  'value_range',
  'user_not_utf8',
] as const;

export type RejectCode = (typeof rejectCodes)[number];

export const RAW_TEXT_BYTES = 4096;
