// The index -> rows of a batch. State and index: ../parse-layout.ts; batch: ../layout.ts. Definition: ../twins/parse.ts.
//
//   bytes     id , " u s e r " , value \n        entries   2  9Q  15E
//             start ^             a field is [previous entry + 1, entry), the first one [start, entry)
import {
  BATCH_ID_LEN, BATCH_ID_PTR, BATCH_IP_LEN, BATCH_IP_PTR, BATCH_RECORD_END, BATCH_RECORD_START, BATCH_ROWS, BATCH_STATUS,
  BATCH_USER_LEN, BATCH_USER_PTR, BATCH_VALUE, BATCH_VALUE_LEN, BATCH_VALUE_PTR, MAX_FOLDED_BYTES,
  MAX_ID_BYTES, MAX_USER_BYTES, REJECT_BAD_QUOTE, REJECT_FIELD_COUNT, REJECT_ID_TOO_LONG, REJECT_INVALID_UTF8, REJECT_MISSING_ID,
  REJECT_MISSING_USER, REJECT_MISSING_VALUE, REJECT_NONE, REJECT_RECORD_TOO_LONG, REJECT_UNTERMINATED_QUOTE, REJECT_USER_TOO_LONG,
} from "../layout";
import {
  ENTRY_BAD, ENTRY_END, ENTRY_POSITION, ENTRY_QUOTED, MODE_SKIP, STATE_BASE, STATE_COLUMN_ID, STATE_COLUMN_IP,
  STATE_COLUMN_USER, STATE_COLUMN_VALUE, STATE_COUNT, STATE_DROPPED, STATE_EMPTY_LINES, STATE_FIELDS, STATE_INDEX, STATE_MODE, STATE_NEXT,
  STATE_NOT_ASCII, STATE_POS, STATE_QUOTE, STATE_RECORDS, STATE_RECORD_LIMIT, STATE_REPAIR, STATE_SCRATCH, STATE_SCRATCH_END, STATE_START,
} from "../parse-layout";
import { isAscii, isUtf8 } from "./parse-utf8";

const CRLF: u16 = 0x0a0d;

export function fields(state: u32, batch: u32): u32 {
  const base = load<u32>(state, STATE_BASE);
  const pos = load<u32>(state, STATE_POS);
  const index = load<u32>(state, STATE_INDEX);
  const count = load<u32>(state, STATE_COUNT);
  const fieldCount = load<u32>(state, STATE_FIELDS);
  const limit = load<u32>(state, STATE_RECORD_LIMIT);
  const columnId = load<u32>(state, STATE_COLUMN_ID) << 2;
  const columnUser = load<u32>(state, STATE_COLUMN_USER) << 2;
  const columnIp = load<u32>(state, STATE_COLUMN_IP) << 2;
  const columnValue = load<u32>(state, STATE_COLUMN_VALUE) << 2;
  const repair = load<u32>(state, STATE_REPAIR) != 0;
  const ascii = load<u32>(state, STATE_NOT_ASCII) == 0;
  let skipping = (load<u32>(state, STATE_MODE) & MODE_SKIP) != 0;
  let first = index + (load<u32>(state, STATE_NEXT) << 2);
  let start = load<u32>(state, STATE_START);
  let records = load<u32>(state, STATE_RECORDS);
  let dropped = load<u32>(state, STATE_DROPPED);
  let rows: u32 = 0;

  while (records > 0 && rows < <u32>BATCH_ROWS) {
    let next = first;
    let flags: u32 = 0;
    let last: u32;
    do {
      last = load<u32>(next);
      flags |= last;
      next += 4;
    } while (<i32>last >= 0); // ENTRY_END is the sign
    const end = last & ENTRY_POSITION;
    const found = ((next - first) >> 2) + dropped;
    dropped = 0;
    if (skipping) {
      skipping = false;
    } else if (found == 1 && end == start && (last & ENTRY_QUOTED) == 0) {
      store<u32>(state, load<u32>(state, STATE_EMPTY_LINES) + 1, STATE_EMPTY_LINES);
    } else {
      if (repair && (flags & <u32>ENTRY_BAD) != 0 && end - start <= limit) break;
      const at = batch + (rows << 2);
      store<u32>(at, base + start, BATCH_RECORD_START);
      store<u32>(at, base + end, BATCH_RECORD_END);
      if (found == fieldCount && (flags & <u32>ENTRY_BAD) == 0 && end - start <= limit) {
        const idFrom = fieldStart(first, columnId, start);
        const userFrom = fieldStart(first, columnUser, start);
        const ipFrom = fieldStart(first, columnIp, start);
        const valueFrom = fieldStart(first, columnValue, start);
        const idLength = fieldEnd(first, columnId) - idFrom;
        const userLength = fieldEnd(first, columnUser) - userFrom;
        const valueLength = fieldEnd(first, columnValue) - valueFrom;
        store<u32>(at, base + idFrom, BATCH_ID_PTR);
        store<u32>(at, idLength, BATCH_ID_LEN);
        store<u32>(at, base + userFrom, BATCH_USER_PTR);
        store<u32>(at, userLength, BATCH_USER_LEN);
        store<u32>(at, base + ipFrom, BATCH_IP_PTR);
        store<u32>(at, fieldEnd(first, columnIp) - ipFrom, BATCH_IP_LEN);
        store<u32>(at, base + valueFrom, BATCH_VALUE_PTR);
        store<u32>(at, valueLength, BATCH_VALUE_LEN);
        // The common row needs no second look.
        let status: u32 = REJECT_NONE;
        if (
          (flags & <u32>ENTRY_QUOTED) != 0 || valueLength == 0 || userLength - 1 >= <u32>MAX_USER_BYTES ||
          idLength - 1 >= <u32>MAX_ID_BYTES || !ascii
        ) {
          if (!ascii && !isValid(base + start, end - start)) {
            reject(batch, rows, base + start, REJECT_INVALID_UTF8, 0);
            status = REJECT_INVALID_UTF8;
          } else {
            if ((flags & <u32>ENTRY_QUOTED) != 0 && !unquote(state, at, first, found)) break;
            status = fieldProblem(at);
            if (status != REJECT_NONE) store<i64>(batch + (rows << 3), 0, BATCH_VALUE);
          }
        }
        store<u32>(at, status, BATCH_STATUS);
      } else {
        let status: u32 = REJECT_FIELD_COUNT;
        if (end - start > limit) status = REJECT_RECORD_TOO_LONG;
        else if ((flags & <u32>ENTRY_BAD) != 0) status = badQuote(first);
        else if (repair) status = ascii || isValid(base + start, end - start) ? <u32>REJECT_NONE : <u32>REJECT_INVALID_UTF8;
        if (status == REJECT_NONE) {
          const entries = (next - first) >> 2;
          placeFields(state, at, first, base, start, entries);
          if (!unquote(state, at, first, entries)) break;
          status = fieldProblem(at);
          store<i64>(batch + (rows << 3), 0, BATCH_VALUE);
          store<u32>(at, status, BATCH_STATUS);
        } else {
          reject(batch, rows, base + start, status, found);
        }
      }
      rows++;
    }
    first = next;
    records--;
    start = end + 1;
    // The byte after a CR at the very end of what was scanned is not known yet: `scan` looks then.
    if (start < pos && load<u16>(base + end) == CRLF) start++;
  }

  if (skipping) {
    first = index + (count << 2);
    start = pos;
  } else {
    store<u32>(state, load<u32>(state, STATE_MODE) & ~MODE_SKIP, STATE_MODE);
  }
  store<u32>(state, (first - index) >> 2, STATE_NEXT);
  store<u32>(state, start, STATE_START);
  store<u32>(state, records, STATE_RECORDS);
  store<u32>(state, dropped, STATE_DROPPED);
  return rows;
}

/** Position of the first byte of the field at `column` (in bytes of entries) of the record whose entries begin at `first`. */
// @ts-ignore: decorator
@inline
function fieldStart(first: u32, column: u32, start: u32): u32 {
  return column == 0 ? start : (load<u32>(first + column - 4) & ENTRY_POSITION) + 1;
}

// @ts-ignore: decorator
@inline
function fieldEnd(first: u32, column: u32): u32 {
  return load<u32>(first + column) & ENTRY_POSITION;
}

// @ts-ignore: decorator
@inline
function isValid(at: u32, length: u32): bool {
  return isAscii(at, length) || isUtf8(at, length);
}

/** Writes the wanted fields of a record that may have too few of them: those are empty. */
function placeFields(state: u32, at: u32, first: u32, base: u32, start: u32, entries: u32): void {
  for (let column: u32 = 0; column < 4; column++) {
    const place = load<u32>(state + (column << 2), STATE_COLUMN_ID);
    const field = at + BATCH_ID_PTR + column * (BATCH_USER_PTR - BATCH_ID_PTR);
    const from = place < entries ? fieldStart(first, place << 2, start) : start;
    store<u32>(field, base + from);
    store<u32>(field, place < entries ? fieldEnd(first, place << 2) - from : 0, BATCH_ID_LEN - BATCH_ID_PTR);
  }
}

/** What is wrong with a row's fields, whose quotes are off. */
function fieldProblem(at: u32): u32 {
  const idLength = load<u32>(at, BATCH_ID_LEN);
  const userLength = load<u32>(at, BATCH_USER_LEN);
  if (idLength == 0) return REJECT_MISSING_ID;
  if (idLength > <u32>MAX_ID_BYTES) return REJECT_ID_TOO_LONG;
  if (userLength == 0) return REJECT_MISSING_USER;
  if (userLength > <u32>MAX_USER_BYTES) return REJECT_USER_TOO_LONG;
  return load<u32>(at, BATCH_VALUE_LEN) == 0 ? REJECT_MISSING_VALUE : REJECT_NONE;
}

/** Takes the quotes off the wanted fields that have well-formed ones. False, and nothing used, when the scratch is full. */
function unquote(state: u32, at: u32, first: u32, entries: u32): bool {
  const scratch = load<u32>(state, STATE_SCRATCH);
  for (let column: u32 = 0; column < 4; column++) {
    // Places in the state and columns in the batch come in the same order, at equal distances.
    const place = load<u32>(state + (column << 2), STATE_COLUMN_ID);
    if (place >= entries) continue;
    if ((load<u32>(first + (place << 2)) & <u32>(ENTRY_QUOTED | ENTRY_BAD)) != <u32>ENTRY_QUOTED) continue;
    const field = at + BATCH_ID_PTR + column * (BATCH_USER_PTR - BATCH_ID_PTR);
    if (!unfold(state, field)) {
      store<u32>(state, scratch, STATE_SCRATCH);
      return false;
    }
  }
  return true;
}

function unfold(state: u32, field: u32): bool {
  const quote = load<u8>(state, STATE_QUOTE);
  let from = load<u32>(field) + 1;
  const length = load<u32>(field, BATCH_ID_LEN - BATCH_ID_PTR) - 2;
  const end = from + length;
  let found = length > <u32>MAX_FOLDED_BYTES ? end : find(from, end, quote);
  if (found == end) {
    store<u32>(field, from);
    store<u32>(field, length, BATCH_ID_LEN - BATCH_ID_PTR);
    return true;
  }
  const scratch = load<u32>(state, STATE_SCRATCH);
  if (length > load<u32>(state, STATE_SCRATCH_END) - scratch) return false;
  let out = scratch;
  while (true) {
    const piece = min(found + 1, end) - from; // up to and with the first quote of the pair
    memory.copy(out, from, piece);
    out += piece;
    if (found == end) break;
    from = found + 2;
    found = find(from, end, quote);
  }
  store<u32>(field, scratch);
  store<u32>(field, out - scratch, BATCH_ID_LEN - BATCH_ID_PTR);
  store<u32>(state, out, STATE_SCRATCH);
  return true;
}

/** The first `byte` in [from, end), or `end`. Reads up to 15 bytes before `from`, never past `end`. */
function find(from: u32, end: u32, byte: u8): u32 {
  const wanted = i8x16.splat(byte);
  for (; from + 16 <= end; from += 16) {
    const hits = i8x16.bitmask(i8x16.eq(v128.load(from), wanted));
    if (hits) return from + ctz(hits);
  }
  if (from >= end) return end;
  const rest = end - from;
  const hits = <u32>i8x16.bitmask(i8x16.eq(v128.load(end - 16), wanted)) >> (16 - rest);
  return hits ? from + ctz(hits) : end;
}

/** Which of the two malformed-quote codes: that of the first bad field. */
function badQuote(first: u32): u32 {
  while ((load<u32>(first) & <u32>ENTRY_BAD) == 0) first += 4;
  return (load<u32>(first) & <u32>ENTRY_QUOTED) == 0 ? REJECT_BAD_QUOTE : REJECT_UNTERMINATED_QUOTE;
}

/** Writes the status of row `row`; its fields are empty. RECORD_START and RECORD_END are the caller's. */
function reject(batch: u32, row: u32, start: u32, status: u32, found: u32): void {
  const at = batch + (row << 2);
  store<u32>(at, status, BATCH_STATUS);
  store<i64>(batch + (row << 3), status == REJECT_FIELD_COUNT ? <i64>found : 0, BATCH_VALUE);
  store<u32>(at, start, BATCH_ID_PTR);
  store<u32>(at, 0, BATCH_ID_LEN);
  store<u32>(at, start, BATCH_USER_PTR);
  store<u32>(at, 0, BATCH_USER_LEN);
  store<u32>(at, start, BATCH_IP_PTR);
  store<u32>(at, 0, BATCH_IP_LEN);
  store<u32>(at, start, BATCH_VALUE_PTR);
  store<u32>(at, 0, BATCH_VALUE_LEN);
}

export function skip(state: u32, batch: u32): void {
  const pos = load<u32>(state, STATE_POS);
  const start = load<u32>(state, STATE_BASE) + load<u32>(state, STATE_START);
  store<u32>(batch, start, BATCH_RECORD_START);
  store<u32>(batch, load<u32>(state, STATE_BASE) + pos, BATCH_RECORD_END);
  reject(batch, 0, start, REJECT_RECORD_TOO_LONG, 0);
  store<u32>(state, pos, STATE_START);
  store<u32>(state, load<u32>(state, STATE_COUNT), STATE_NEXT);
  store<u32>(state, 0, STATE_DROPPED);
  store<u32>(state, load<u32>(state, STATE_MODE) | MODE_SKIP, STATE_MODE);
}
