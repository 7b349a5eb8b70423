/** A row that cannot be counted is a value, not an error: why it was rejected and where it stands. */
import type { Rule } from './rules.ts';

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
  /**
   * Waits until all that came before is handed on, of blocks of others, too: whoever has found an error tells it then, so that it
   * does not overtake rejects that may end the run. Default: nothing is to be waited for. Rejects with ETL_ABORTED when they did.
   */
  settled?(): Promise<void>;
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
  /** The same of the field at fault, its quote included; undefined when it is no one field. */
  readonly fieldByte: number | undefined;
  /** Name of the column at fault, when it is one column. */
  readonly column: string | undefined;
  readonly code: RejectCode;
  /** Name of the rule (core/rules.ts) that is broken, when the code is `rule`. */
  readonly rule: string | undefined;
  readonly message: string;
  /** The record's bytes as text, cut at RAW_TEXT_BYTES. */
  readonly raw: string;
  /** The same bytes in base64, when they are not UTF-8, so that the text is not all of them. */
  readonly rawBase64: string | undefined;
  /** Whether they were cut. */
  readonly truncated: boolean;
  /** Texts of the four columns by the user's names; undefined when the record has no such fields, or they are no text. */
  readonly row: Readonly<Record<string, string>> | undefined;
}

/** A line of the rejects file as it is read. */
export interface RejectRecord {
  readonly file: string;
  readonly line: number;
  readonly byte: number;
  readonly field_byte: number | null;
  readonly column: string | null;
  readonly code: RejectCode;
  readonly rule: string | null;
  readonly message: string;
  readonly raw: string;
  readonly raw_base64?: string;
  readonly truncated?: true;
  readonly row: Readonly<Record<string, string>> | null;
}

/** The line of the rejects file, line end included. */
export function rejectLine({ file, line, byte, fieldByte, column, code, rule, message, raw, rawBase64, truncated, row }: Reject): string {
  const record: RejectRecord = {
    file, line, byte, field_byte: fieldByte ?? null, column: column ?? null, code, rule: rule ?? null, message, raw,
    ...(rawBase64 !== undefined && { raw_base64: rawBase64 }), ...(truncated && { truncated }), row: row ?? null,
  };
  return `${JSON.stringify(record)}\n`;
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

/** `rule`: a rule of the run is broken; its statuses come behind those of all codes. */
export type RejectCode = (typeof rejectCodes)[number] | 'rule';

/** Statuses are below: of codes, and of rules from REJECT_RULE on (kernels/layout.ts), which core does not know. */
export const STATUSES = 2048;
export const FIRST_RULE = 32;

/** What a status is counted as: its code, and with a rule that is broken `rule COLUMN:RULE`. */
export function reasonOf(status: number, rules: readonly Rule[]): string {
  const rule = rules[status - FIRST_RULE];
  return rule ? `rule ${rule.column}:${rule.name}` : rejectCodes[status]!;
}

/** The same of a reject. */
export function reasonOfReject({ code, column, rule }: Pick<RejectRecord, 'code'> & { readonly column: string | null | undefined; readonly rule: string | null | undefined }): string {
  return code === 'rule' ? `rule ${column}:${rule}` : code;
}

/** Counts by reason, in the order of their statuses. */
export function reasonsOf(rejectedBy: Iterable<readonly [status: number, rows: number]>, rules: readonly Rule[]): Record<string, number> {
  return Object.fromEntries([...rejectedBy].sort(([a], [b]) => a - b).map(([status, rows]) => [reasonOf(status, rules), rows]));
}

/** Column of the rejects file in CSV by which it is known when it is fed back. */
export const MENDED_COLUMN = '_reject_code';

/** As text of JSON these are half a megabyte, at most. */
export const RAW_TEXT_BYTES = 1 << 16;
