/** Rejected rows of a batch -> what `_rejects.jsonl` says about them. */
import { isUtf8 } from 'node:buffer';
import type { ColumnNames } from '../core/options.ts';
import { RAW_TEXT_BYTES, rejectCodes, type Reject, type RejectCode } from '../core/rejects.ts';
import type { Rule } from '../core/rules.ts';
import {
  BATCH_RECORD_END, BATCH_RECORD_START, BATCH_STATUS, BATCH_USER_LEN, BATCH_VALUE, MAX_ID_BYTES, MAX_USER_BYTES,
  REJECT_RULE,
} from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { BATCH_FIELDS, fieldRoles, type FieldRole } from './batch-fields.ts';
import type { HeaderMap } from './header.ts';
import { countLineEnds } from './lines.ts';
import { contentOf, fieldAt, firstBadField, type FieldMarks } from './record-fields.ts';
import type { FieldsOfRows } from './row-rules.ts';
import { ruleMessage } from './rule-message.ts';

const SHOWN_BYTES = 40;
const NOTHING = new Uint8Array(0);
/** Of these records nobody knows which field is which. */
const MALFORMED: readonly RejectCode[] = ['field_count', 'bad_quote', 'unterminated_quote', 'record_too_long', 'invalid_utf8'];

export interface RejectContext {
  readonly memory: LinearMemory;
  readonly columns: ColumnNames;
  readonly header: HeaderMap;
  /** How records are divided, or the fields of the rows: then nobody knows where in their records those are. */
  readonly marks: FieldMarks | FieldsOfRows;
  readonly rules: readonly Rule[];
  /** Of the columns that rules name, besides the four, in the order of `header.ruled`. */
  readonly ruled: readonly string[];
  readonly scale: number;
  readonly recordLimit: number;
}

/** `fieldOffset`: of the field at fault in the record, its quote included; undefined when it is no one field. */
export type RejectDescription = Omit<Reject, 'file' | 'line' | 'byte' | 'fieldByte'> & { readonly fieldOffset: number | undefined };

/** What is wrong, and with which field. */
interface Fault {
  readonly message: string;
  readonly rule?: string | undefined;
  readonly column?: string | undefined;
  /** Its place in the record. */
  readonly place?: number | undefined;
  readonly fieldOffset?: number | undefined;
}

/** Row `row` of the batch at `batch`, whose status is not 0. */
export function describeReject(batch: number, row: number, context: RejectContext): RejectDescription {
  const { memory, marks, recordLimit } = context;
  const word = (column: number): number => memory.u32(batch + column + 4 * row, 1)[0]!;
  const status = word(BATCH_STATUS);
  const code = status >= REJECT_RULE ? 'rule' : rejectCodes[status]!;
  const start = word(BATCH_RECORD_START);
  const record = memory.bytes(start, word(BATCH_RECORD_END) - start);
  const { message, rule, column, place, fieldOffset } = faultOf(code, record);
  // How much there is of a record that is too long depends on how the input is cut into blocks, beyond the limit.
  const raw = Buffer.from(record.slice(0, cutAt(record, code === 'record_too_long' ? Math.min(RAW_TEXT_BYTES, recordLimit) : RAW_TEXT_BYTES)));
  return {
    code, rule, column, message, raw: raw.toString(), rawBase64: isUtf8(raw) ? undefined : raw.toString('base64'), truncated: raw.length < record.length,
    row: MALFORMED.includes(code) ? undefined : rowTexts(),
    fieldOffset: fieldOffset ?? (place === undefined || typeof marks === 'function' ? undefined : fieldAt(record, place, marks)?.start),
  };

  function faultOf(code: RejectCode, record: Uint8Array): Fault {
    const { columns, header, scale } = context;
    const value = { column: columns.value, place: header.value };
    const user = { column: columns.user, place: header.user };
    const bad = (): number | undefined => (typeof marks === 'function' ? undefined : firstBadField(record, marks)?.start);
    switch (code) {
      case 'field_count': {
        const found = Number(memory.view(batch + BATCH_VALUE + 8 * row, 8).getBigInt64(0, true));
        return { message: `The record has ${found} ${found === 1 ? 'field' : 'fields'}; the header has ${header.fields}.` };
      }
      case 'bad_quote':
        return { message: 'A quote stands inside an unquoted field, or something follows a closing quote.', fieldOffset: bad() };
      case 'unterminated_quote':
        return neverClosed(record, bad() ?? 0);
      case 'record_too_long':
        return { message: `The record is longer than ${recordLimit} bytes.` };
      case 'missing_id':
        return { message: 'The log id is empty.', column: columns.id, place: header.id };
      case 'missing_user':
        return { message: 'The user id is empty.', ...user };
      case 'user_too_long':
        return { message: `The user id has ${word(BATCH_USER_LEN)} bytes; the most is ${MAX_USER_BYTES}.`, ...user };
      case 'invalid_utf8':
        return { message: 'The record is not valid UTF-8.' };
      case 'id_too_long':
        return { message: `The log id has more than ${MAX_ID_BYTES} bytes.`, column: columns.id, place: header.id };
      case 'missing_value':
        return { message: 'The value is empty.', ...value };
      case 'bad_value':
        return { message: `The value ${shownValue()} is not a decimal number.`, ...value };
      case 'value_precision':
        return { message: `The value ${shownValue()} has more than ${scale} decimal places.`, ...value };
      case 'value_range':
        return { message: `The value ${shownValue()} with ${scale} decimal places does not fit 64 bits.`, ...value };
      case 'rule':
        return brokenRule(record);
      case 'none':
        throw new Error('a good row is no reject');
    }
  }

  function neverClosed(record: Uint8Array, fieldOffset: number): Fault {
    const lines = countLineEnds(record, 0, fieldOffset);
    const where = lines === 0 ? 'in its first line' : `${lines} ${lines === 1 ? 'line' : 'lines'} below its first`;
    return { message: `The record opens a quote, ${where}, that is never closed.`, fieldOffset };
  }

  function brokenRule(record: Uint8Array): Fault {
    const { columns, header, rules, ruled } = context;
    const rule = rules[status - REJECT_RULE]!;
    const { column, name } = rule;
    const role = fieldRoles.find((each) => columns[each] === column);
    const place = role === undefined ? header.ruled?.[ruled.indexOf(column)] : header[role];
    const content = role === undefined ? contentAt(record, place) : contentFor(role);
    return { rule: name, column, place, message: ruleMessage(rule, shown(content), content.length) };
  }

  /** Of a column besides the four. */
  function contentAt(record: Uint8Array, place: number | undefined): Uint8Array {
    if (place === undefined) return NOTHING;
    if (typeof marks === 'function') return marks(row, place);
    const field = fieldAt(record, place, marks);
    return field ? contentOf(record, field, marks) : NOTHING;
  }

  function contentFor(role: FieldRole): Uint8Array {
    const [ptr, length] = BATCH_FIELDS[role];
    return memory.bytes(word(ptr), word(length));
  }

  function shownValue(): string {
    return shown(contentFor('value'));
  }

  /** Whole, and exactly what was read, or not at all: who feeds them back counts them. */
  function rowTexts(): Record<string, string> | undefined {
    const texts: Record<string, string> = {};
    let room = RAW_TEXT_BYTES;
    for (const role of fieldRoles) {
      const content = contentFor(role);
      if ((room -= content.length) < 0) return undefined;
      const bytes = Buffer.from(content);
      if (!isUtf8(bytes)) return undefined;
      texts[context.columns[role]] = bytes.toString();
    }
    return texts;
  }
}

/** Where to cut a text of so many bytes at most, between two of its characters. */
function cutAt(bytes: Uint8Array, most: number): number {
  if (bytes.length <= most) return bytes.length;
  let at = most;
  while (at > most - 3 && (bytes[at]! & 0xc0) === 0x80) at--;
  return at;
}

function shown(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.slice(0, cutAt(bytes, SHOWN_BYTES))).toString();
  return JSON.stringify(bytes.length > SHOWN_BYTES ? `${text}…` : text);
}
