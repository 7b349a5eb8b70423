/** A row that cannot be counted is a value, not an error: why it was rejected and where it stands. */

/**
 * Where a reject's line goes. Rejects come block by block (`Block.sequence`), those of a block in its order; blocks come in
 * order, though with several threads, each with its own sink, none of them sees all.
 */
export interface RejectSink {
  /** What is written from here on is of this block. */
  begin(sequence: number): void;
  /** True when the sink wants the caller to await `drained()` before it goes on. */
  write(reject: Reject): boolean;
  /** Waits until there is room for more; after the last block, until all is handed on. */
  drained(): Promise<void>;
  /** The block has no more; await what it gives, if it gives something. Also for a block without any. */
  end(): void | Promise<void>;
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

/** The line of the rejects file, line end included. */
export function rejectLine({ file, line, byte, column, code, message, raw }: Reject): string {
  return `${JSON.stringify({ file, line, byte, column: column ?? null, code, message, raw })}\n`;
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
  'invalid_utf8',
  'id_too_long',
] as const;

export type RejectCode = (typeof rejectCodes)[number];

export const RAW_TEXT_BYTES = 4096;
