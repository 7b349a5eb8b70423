/** Rejected rows of a batch -> what `_rejects.jsonl` says about them. */
import type { ColumnNames } from '../core/options.ts';
import { RAW_TEXT_BYTES, rejectCodes, type RejectCode } from '../core/rejects.ts';
import {
  BATCH_RECORD_END, BATCH_RECORD_START, BATCH_STATUS, BATCH_USER_LEN, BATCH_VALUE, BATCH_VALUE_LEN, BATCH_VALUE_PTR,
  MAX_ID_BYTES, MAX_USER_BYTES,
} from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';

const SHOWN_BYTES = 40;

export interface RejectContext {
  readonly memory: LinearMemory;
  readonly columns: ColumnNames;
  readonly fields: number;
  readonly scale: number;
  readonly recordLimit: number;
}

export interface RejectDescription {
  readonly code: RejectCode;
  readonly column: string | undefined;
  readonly message: string;
  readonly raw: string;
}

/** Row `row` of the batch at `batch`, whose status is not 0. */
export function describeReject(batch: number, row: number, context: RejectContext): RejectDescription {
  const { memory, columns, scale } = context;
  const word = (column: number): number => memory.u32(batch + column + 4 * row, 1)[0]!;
  const start = word(BATCH_RECORD_START);
  const raw = text(memory, start, Math.min(word(BATCH_RECORD_END) - start, RAW_TEXT_BYTES));
  const code = rejectCodes[word(BATCH_STATUS)]!;
  const value = (): string => {
    const length = word(BATCH_VALUE_LEN);
    const shown = text(memory, word(BATCH_VALUE_PTR), Math.min(length, SHOWN_BYTES));
    return JSON.stringify(length > SHOWN_BYTES ? `${shown}…` : shown);
  };
  const reject = (column: string | undefined, message: string): RejectDescription => ({ code, column, message, raw });

  switch (code) {
    case 'field_count': {
      const found = Number(memory.view(batch + BATCH_VALUE + 8 * row, 8).getBigInt64(0, true));
      const fields = found === 1 ? 'field' : 'fields';
      return reject(undefined, `The record has ${found} ${fields}; the header has ${context.fields}.`);
    }
    case 'bad_quote':
      return reject(undefined, 'A quote stands inside an unquoted field, or something follows a closing quote.');
    case 'unterminated_quote':
      return reject(undefined, 'The input ends inside a quoted field.');
    case 'record_too_long':
      return reject(undefined, `The record is longer than ${context.recordLimit} bytes.`);
    case 'missing_id':
      return reject(columns.id, 'The log id is empty.');
    case 'missing_user':
      return reject(columns.user, 'The user id is empty.');
    case 'user_too_long':
      return reject(columns.user, `The user id has ${word(BATCH_USER_LEN)} bytes; the most is ${MAX_USER_BYTES}.`);
    case 'invalid_utf8':
      return reject(undefined, 'The record is not valid UTF-8.');
    case 'id_too_long':
      return reject(columns.id, `The log id has more than ${MAX_ID_BYTES} bytes.`);
    case 'missing_value':
      return reject(columns.value, 'The value is empty.');
    case 'bad_value':
      return reject(columns.value, `The value ${value()} is not a decimal number.`);
    case 'value_precision':
      return reject(columns.value, `The value ${value()} has more than ${scale} decimal places.`);
    case 'value_range':
      return reject(columns.value, `The value ${value()} with ${scale} decimal places does not fit 64 bits.`);
    case 'none':
      throw new Error('a good row is no reject');
  }
}

/** Bytes as text; what is not UTF-8 becomes U+FFFD. */
function text(memory: LinearMemory, at: number, length: number): string {
  const bytes = memory.bytes(at, length);
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString();
}
