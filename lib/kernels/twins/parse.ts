/**
 * The parse kernel's contract and its twin, which is also the definition of what a record is (lib/parse/README.md says
 * it in prose). Layout: ../parse-layout.ts (state, index) and ../layout.ts (batch).
 */
import { isUtf8 } from 'node:buffer';
import {
  BATCH_ID_LEN, BATCH_ID_PTR, BATCH_IP_LEN, BATCH_IP_PTR, BATCH_RECORD_END, BATCH_RECORD_START, BATCH_ROWS, BATCH_STATUS,
  BATCH_USER_LEN, BATCH_USER_PTR, BATCH_VALUE, BATCH_VALUE_LEN, BATCH_VALUE_PTR, MAX_FOLDED_BYTES, MAX_ID_BYTES, MAX_USER_BYTES,
  REJECT_BAD_QUOTE, REJECT_BAD_VALUE, REJECT_FIELD_COUNT, REJECT_ID_TOO_LONG, REJECT_INVALID_UTF8, REJECT_MISSING_ID,
  REJECT_MISSING_USER, REJECT_MISSING_VALUE, REJECT_NONE, REJECT_RECORD_TOO_LONG, REJECT_UNTERMINATED_QUOTE, REJECT_USER_TOO_LONG,
  REJECT_VALUE_MAX, REJECT_VALUE_MIN, REJECT_VALUE_PRECISION, REJECT_VALUE_RANGE,
} from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import {
  ENTRY_BAD, ENTRY_END, ENTRY_POSITION, ENTRY_QUOTED, INDEX_SLACK, MODE_AFTER_CR, MODE_BAD, MODE_BAD_RECORD, MODE_CLOSED,
  MODE_FIELD_START, MODE_PLACE, MODE_QUOTED, MODE_SKIP, MODE_UNQUOTED, STATE_BASE, STATE_BYTES, STATE_CAPACITY,
  STATE_COLUMN_ID, STATE_COLUMN_IP, STATE_COLUMN_USER, STATE_COLUMN_VALUE, STATE_COUNT, STATE_DELIMITER, STATE_DROPPED,
  STATE_EMPTY_LINES, STATE_END, STATE_ENOUGH, STATE_FIELDS, STATE_INDEX, STATE_LINES, STATE_LINE_END, STATE_LINE_FROM, STATE_MODE,
  STATE_NEXT, STATE_NOT_ASCII, STATE_POS, STATE_QUOTE, STATE_RECORDS, STATE_RECORD_LIMIT, STATE_REPAIR, STATE_SCRATCH,
  STATE_SCRATCH_END, STATE_START, STATE_SUSPECT,
} from '../parse-layout.ts';

/** All parameters are addresses or counts; results are counts. None traps on any content of the window. */
export interface ParseKernel {
  /**
   * Indexes the window from POS on. Stops at its end, or once ENOUGH whole records wait in the index, or when less than
   * INDEX_SLACK entries are free, or, SUSPECT then, behind a record with malformed quotes. Quadratic in nothing: no byte is
   * scanned twice.
   */
  scan(state: number): void;
  /** At the end of an input, everything scanned: ends the last record if it has no line end. */
  finish(state: number): void;
  /**
   * Takes up to BATCH_ROWS whole records out of the index and writes RECORD_*, *_PTR, *_LEN and STATUS of `batch`.
   * Quoted fields point at their content; with doubled quotes, at an unfolded copy in the scratch, unless they are longer than
   * MAX_FOLDED_BYTES. Stops early when the scratch is full (it always holds one record if it has room for the fields of four
   * columns). Empty lines are counted, not rows. Field_count rejects have the number of fields found in VALUE, other rejected
   * rows 0. With REPAIR, a field too many is nothing, one too few is empty, and it stops before a record with malformed quotes.
   * Returns the rows; 0 only when no whole record is left, or with REPAIR the next one is malformed.
   */
  fields(state: number, batch: number): number;
  /**
   * Parses VALUE_PTR/LEN of the good rows to VALUE x 10^scale (scale <= 18), which must be from `least` to `most`, both i64 and
   * least <= most. Returns how many rows have a status.
   */
  values(batch: number, rows: number, scale: number, least: bigint, most: bigint): number;
  /**
   * The unfinished record is too long: makes it row 0 of `batch` (status RECORD_TOO_LONG, its bytes so far) and forgets
   * it; its end will give no row. Call only when no whole record is left.
   */
  skip(state: number, batch: number): void;
  /** LF, CR and CRLF among `length` bytes at `ptr`; a first LF does not count when `afterCr` is not 0. */
  countLines(ptr: number, length: number, afterCr: number): number;
}

const LF = 10;
const CR = 13;
const COLUMNS = [
  { place: STATE_COLUMN_ID, ptr: BATCH_ID_PTR, len: BATCH_ID_LEN },
  { place: STATE_COLUMN_USER, ptr: BATCH_USER_PTR, len: BATCH_USER_LEN },
  { place: STATE_COLUMN_IP, ptr: BATCH_IP_PTR, len: BATCH_IP_LEN },
  { place: STATE_COLUMN_VALUE, ptr: BATCH_VALUE_PTR, len: BATCH_VALUE_LEN },
];

/** A u32 of the state by its name. */
class State {
  readonly #view: DataView;

  constructor(memory: LinearMemory, at: number) {
    this.#view = memory.view(at, STATE_BYTES);
  }

  get(name: number): number {
    return this.#view.getUint32(name, true);
  }

  set(name: number, value: number): void {
    this.#view.setUint32(name, value, true);
  }

  add(name: number, value: number): void {
    this.set(name, this.get(name) + value);
  }
}

export function createParseTwin(memory: LinearMemory): ParseKernel {
  const load = (at: number): number => memory.view(at, 4).getUint32(0, true);
  const store = (at: number, value: number): void => memory.view(at, 4).setUint32(0, value, true);

  function scan(at: number): void {
    const state = new State(memory, at);
    dropTaken(state);
    const window = memory.bytes(state.get(STATE_BASE), state.get(STATE_END));
    const index = memory.u32(state.get(STATE_INDEX), state.get(STATE_CAPACITY));
    const delimiter = state.get(STATE_DELIMITER);
    const quote = state.get(STATE_QUOTE);
    const enough = state.get(STATE_ENOUGH);
    const mode = state.get(STATE_MODE);
    const [lineFrom, lineTo] = [state.get(STATE_LINE_FROM), state.get(STATE_LINE_END)];
    let place = mode & MODE_PLACE;
    let bad = mode & MODE_BAD;
    let badRecord = mode & MODE_BAD_RECORD;
    let suspect = false;
    let afterCr = (mode & MODE_AFTER_CR) !== 0;
    let pos = state.get(STATE_POS);
    let count = state.get(STATE_COUNT);
    let records = state.get(STATE_RECORDS);
    // The LF of a CRLF that was cut in two belongs to no record.
    if (afterCr && state.get(STATE_START) === pos && window[pos] === LF) state.set(STATE_START, pos + 1);

    for (; pos < window.length && records < enough && count + INDEX_SLACK <= index.length && !suspect; pos++) {
      const byte = window[pos]!;
      if (byte > 127) state.set(STATE_NOT_ASCII, 1);
      const secondHalf = afterCr && byte === LF;
      afterCr = byte === CR;
      const lineEnd = byte === LF || byte === CR;
      if (lineEnd && !secondHalf) state.add(STATE_LINES, 1);
      if (place === MODE_QUOTED && !(lineEnd && pos >= lineFrom && pos < lineTo)) {
        if (byte === quote) place = MODE_CLOSED;
      } else if (lineEnd || byte === delimiter) {
        if (secondHalf) continue;
        if (place === MODE_QUOTED) bad = MODE_BAD;
        const quoted = place === MODE_CLOSED || place === MODE_QUOTED;
        index[count++] = pos + (quoted ? ENTRY_QUOTED : 0) + (bad ? ENTRY_BAD : 0) + (lineEnd ? ENTRY_END : 0);
        if (bad) badRecord = MODE_BAD_RECORD;
        if (lineEnd) {
          records++;
          suspect = badRecord !== 0;
          badRecord = 0;
        }
        place = MODE_FIELD_START;
        bad = 0;
      } else if (byte === quote && place !== MODE_UNQUOTED) {
        place = MODE_QUOTED;
      } else {
        if (byte === quote || place === MODE_CLOSED) bad = MODE_BAD;
        place = MODE_UNQUOTED;
      }
    }

    state.set(STATE_POS, pos);
    state.set(STATE_COUNT, count);
    state.set(STATE_RECORDS, records);
    state.set(STATE_SUSPECT, Number(suspect));
    state.set(STATE_MODE, place | bad | badRecord | (afterCr ? MODE_AFTER_CR : 0) | (mode & MODE_SKIP));
  }

  /** Moves the entries that wait to the front of the index. */
  function dropTaken(state: State): void {
    const next = state.get(STATE_NEXT);
    const count = state.get(STATE_COUNT);
    memory.u32(state.get(STATE_INDEX), count).copyWithin(0, next);
    state.set(STATE_COUNT, count - next);
    state.set(STATE_NEXT, 0);
  }

  function finish(at: number): void {
    const state = new State(memory, at);
    const pos = state.get(STATE_POS);
    if (pos <= state.get(STATE_START) && (state.get(STATE_MODE) & MODE_SKIP) === 0) return;
    const mode = state.get(STATE_MODE);
    const place = mode & MODE_PLACE;
    const quoted = place === MODE_QUOTED || place === MODE_CLOSED;
    const bad = place === MODE_QUOTED || (mode & MODE_BAD) !== 0;
    const entry = pos + ENTRY_END + (quoted ? ENTRY_QUOTED : 0) + (bad ? ENTRY_BAD : 0);
    store(state.get(STATE_INDEX) + 4 * state.get(STATE_COUNT), entry);
    state.add(STATE_COUNT, 1);
    state.add(STATE_RECORDS, 1);
    state.set(STATE_MODE, mode & MODE_SKIP);
  }

  function fields(at: number, batch: number): number {
    const state = new State(memory, at);
    const base = state.get(STATE_BASE);
    const pos = state.get(STATE_POS);
    const entries = memory.u32(state.get(STATE_INDEX), state.get(STATE_COUNT));
    let next = state.get(STATE_NEXT);
    let start = state.get(STATE_START);
    let records = state.get(STATE_RECORDS);
    let rows = 0;

    while (records > 0 && rows < BATCH_ROWS) {
      let last = next;
      while (entries[last]! < ENTRY_END) last++;
      const record = entries.subarray(next, last + 1);
      const end = entries[last]! & ENTRY_POSITION;
      if ((state.get(STATE_MODE) & MODE_SKIP) !== 0) {
        state.set(STATE_MODE, state.get(STATE_MODE) & ~MODE_SKIP);
      } else if (record.length === 1 && end === start) {
        state.add(STATE_EMPTY_LINES, 1);
      } else {
        const isBad = record.some((entry) => (entry & ENTRY_BAD) !== 0) && end - start <= state.get(STATE_RECORD_LIMIT);
        if (isBad && state.get(STATE_REPAIR) !== 0) break;
        if (!row(state, batch, rows, start, record)) break;
        rows++;
      }
      next = last + 1;
      records--;
      start = end + 1;
      if (start < pos && memory.bytes(base + end, 1)[0] === CR && memory.bytes(base + start, 1)[0] === LF) start++;
    }

    if ((state.get(STATE_MODE) & MODE_SKIP) !== 0) {
      next = entries.length;
      start = pos;
    }
    state.set(STATE_NEXT, next);
    state.set(STATE_START, start);
    state.set(STATE_RECORDS, records);
    return rows;
  }

  /** Writes one row; false when the scratch has no room for it. */
  function row(state: State, batch: number, index: number, start: number, record: Uint32Array): boolean {
    const base = state.get(STATE_BASE);
    const at = batch + 4 * index;
    const found = record.length + state.get(STATE_DROPPED);
    state.set(STATE_DROPPED, 0);
    const end = record.at(-1)! & ENTRY_POSITION;
    const scratch = state.get(STATE_SCRATCH);
    const bad = record.find((entry) => (entry & ENTRY_BAD) !== 0);
    const repair = state.get(STATE_REPAIR) !== 0;
    let status = REJECT_NONE;
    if (end - start > state.get(STATE_RECORD_LIMIT)) status = REJECT_RECORD_TOO_LONG;
    else if (bad !== undefined) status = (bad & ENTRY_QUOTED) === 0 ? REJECT_BAD_QUOTE : REJECT_UNTERMINATED_QUOTE;
    else if (found !== state.get(STATE_FIELDS) && !repair) status = REJECT_FIELD_COUNT;
    else if (state.get(STATE_NOT_ASCII) !== 0 && !isUtf8(memory.bytes(base + start, end - start).slice())) status = REJECT_INVALID_UTF8;
    store(at + BATCH_RECORD_START, base + start);
    store(at + BATCH_RECORD_END, base + end);
    const value = status === REJECT_FIELD_COUNT ? found : 0;
    memory.view(batch + BATCH_VALUE + 8 * index, 8).setBigInt64(0, BigInt(value), true);

    for (const column of COLUMNS) {
      const place = state.get(column.place);
      let ptr = base + start;
      let len = 0;
      if (status === REJECT_NONE && place < record.length) {
        if (place > 0) ptr = base + (record[place - 1]! & ENTRY_POSITION) + 1;
        len = base + (record[place]! & ENTRY_POSITION) - ptr;
        if ((record[place]! & (ENTRY_QUOTED | ENTRY_BAD)) === ENTRY_QUOTED) {
          const content = unfold(state, ptr + 1, len - 2);
          if (!content) {
            state.set(STATE_SCRATCH, scratch);
            return false;
          }
          ({ ptr, len } = content);
        }
      }
      store(at + column.ptr, ptr);
      store(at + column.len, len);
    }

    if (status === REJECT_NONE) {
      if (load(at + BATCH_ID_LEN) === 0) status = REJECT_MISSING_ID;
      else if (load(at + BATCH_ID_LEN) > MAX_ID_BYTES) status = REJECT_ID_TOO_LONG;
      else if (load(at + BATCH_USER_LEN) === 0) status = REJECT_MISSING_USER;
      else if (load(at + BATCH_USER_LEN) > MAX_USER_BYTES) status = REJECT_USER_TOO_LONG;
      else if (load(at + BATCH_VALUE_LEN) === 0) status = REJECT_MISSING_VALUE;
    }
    store(at + BATCH_STATUS, status);
    return true;
  }

  /** The content of a quoted field: itself, or with `""` made `"` in the scratch; undefined when that is full. */
  function unfold(state: State, ptr: number, len: number): { ptr: number; len: number } | undefined {
    const quote = state.get(STATE_QUOTE);
    const content = memory.bytes(ptr, len);
    if (len > MAX_FOLDED_BYTES || !content.includes(quote)) return { ptr, len };
    const scratch = state.get(STATE_SCRATCH);
    if (len > state.get(STATE_SCRATCH_END) - scratch) return undefined;
    const folded: number[] = [];
    for (let i = 0; i < len; i++) {
      folded.push(content[i]!);
      if (content[i] === quote) i++;
    }
    memory.bytes(scratch, folded.length).set(folded);
    state.set(STATE_SCRATCH, scratch + folded.length);
    return { ptr: scratch, len: folded.length };
  }

  function values(batch: number, rows: number, scale: number, least: bigint, most: bigint): number {
    let rejected = 0;
    for (let row = 0; row < rows; row++) {
      const at = batch + 4 * row;
      if (load(at + BATCH_STATUS) === REJECT_NONE) {
        const bytes = memory.bytes(load(at + BATCH_VALUE_PTR), load(at + BATCH_VALUE_LEN));
        const parsed = parseValue(Buffer.from(bytes).toString('latin1'), scale);
        const { status, value } = parsed.status === REJECT_NONE ? bounded(parsed.value, least, most) : parsed;
        store(at + BATCH_STATUS, status);
        memory.view(batch + BATCH_VALUE + 8 * row, 8).setBigInt64(0, value, true);
      }
      if (load(at + BATCH_STATUS) !== REJECT_NONE) rejected++;
    }
    return rejected;
  }

  function skip(at: number, batch: number): void {
    const state = new State(memory, at);
    const start = state.get(STATE_BASE) + state.get(STATE_START);
    store(batch + BATCH_RECORD_START, start);
    store(batch + BATCH_RECORD_END, state.get(STATE_BASE) + state.get(STATE_POS));
    store(batch + BATCH_STATUS, REJECT_RECORD_TOO_LONG);
    state.set(STATE_DROPPED, 0);
    memory.view(batch + BATCH_VALUE, 8).setBigInt64(0, 0n, true);
    for (const column of COLUMNS) {
      store(batch + column.ptr, start);
      store(batch + column.len, 0);
    }
    state.set(STATE_START, state.get(STATE_POS));
    state.set(STATE_NEXT, state.get(STATE_COUNT));
    state.set(STATE_MODE, state.get(STATE_MODE) | MODE_SKIP);
  }

  function countLines(ptr: number, length: number, afterCr: number): number {
    let lines = 0;
    let before = afterCr === 0 ? 0 : CR;
    for (const byte of memory.bytes(ptr, length)) {
      if (byte === CR || (byte === LF && before !== CR)) lines++;
      before = byte;
    }
    return lines;
  }

  return { scan, finish, fields, values, skip, countLines };
}

function bounded(value: bigint, least: bigint, most: bigint): { status: number; value: bigint } {
  if (value < least) return { status: REJECT_VALUE_MIN, value: 0n };
  if (value > most) return { status: REJECT_VALUE_MAX, value: 0n };
  return { status: REJECT_NONE, value };
}

/** `text` x 10^scale as an exact integer, or why not. */
function parseValue(text: string, scale: number): { status: number; value: bigint } {
  const parts = /^[ \t]*([+-]?)(\d*)(?:\.(\d*))?[ \t]*$/.exec(text);
  const whole = parts?.[2] ?? '';
  const decimals = (parts?.[3] ?? '').replace(/0+$/, '');
  if (!parts || whole + (parts[3] ?? '') === '') return { status: REJECT_BAD_VALUE, value: 0n };
  if (decimals.length > scale) return { status: REJECT_VALUE_PRECISION, value: 0n };
  const digits = (whole + decimals.padEnd(scale, '0')).replace(/^0+/, '');
  if (digits.length > 19) return { status: REJECT_VALUE_RANGE, value: 0n };
  const magnitude = BigInt(digits);
  const value = parts[1] === '-' ? -magnitude : magnitude;
  if (value !== BigInt.asIntN(64, value)) return { status: REJECT_VALUE_RANGE, value: 0n };
  return { status: REJECT_NONE, value };
}
