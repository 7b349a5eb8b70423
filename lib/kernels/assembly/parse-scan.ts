// The structural scan: bytes -> index of field ends. 64 bytes a step become bit masks, bit i = byte i of the step:
//
//   bytes    a , " x , y " , b \n      quotes   . . 1 . . . 1 . . .
//                                      inside   . . 1 1 1 1 . . . .   prefix xor of the quotes, carried over steps
//                                      ends     . 1 . . . . . 1 . 1   (delimiters | line ends) & ~inside
//
// (Langdale, Lemire: Parsing Gigabytes of JSON per Second, 2019; there with a carry-less multiply, here with shifts.)
// That is exact while every quote stands where one may be, which two masks prove for the step:
//   an opening quote comes after an end, or after a closing quote (the two halves of "");
//   after a closing quote comes an end or a quote.
// A step that fails goes through the scalar state machine `scanBytes` instead, and so does the rest of a record with malformed
// quotes, and what is to be read line by line. Its states are the masks' carries:
//   field start = after an end; quoted = inside; closed = after a closing quote; unquoted = none of them.
// Without quotes, the vectors of quotes are those of CRs, which `scanPlain` stops at anyway, and their mask is none.
//
// State and index: ../parse-layout.ts. Definition: ../twins/parse.ts.
import {
  ENTRY_BAD, ENTRY_END, ENTRY_QUOTED, INDEX_SLACK, MODE_AFTER_CR, MODE_BAD, MODE_BAD_RECORD, MODE_CLOSED, MODE_FIELD_START,
  MODE_PLACE, MODE_QUOTED, MODE_SKIP, MODE_UNQUOTED, STATE_BASE, STATE_CAPACITY, STATE_COUNT, STATE_DELIMITER, STATE_END,
  STATE_ENOUGH, STATE_INDEX, STATE_LINES, STATE_LINE_END, STATE_LINE_FROM, STATE_MODE, STATE_NEXT, STATE_NOT_ASCII, STATE_POS,
  STATE_QUOTE, STATE_RECORDS, STATE_START, STATE_SUSPECT,
} from "../parse-layout";

const LF: u8 = 10;
const CR: u8 = 13;
/** Flags that the masks do not know. */
const ODD: u32 = MODE_BAD | MODE_BAD_RECORD;
/** After so many steps without a quote or a CR there may be a whole stretch of them. */
const QUIET: u32 = 4;

// @ts-ignore: decorator
@inline
function bits(a: v128, b: v128, c: v128, d: v128): u64 {
  return <u64>i8x16.bitmask(a) | (<u64>i8x16.bitmask(b) << 16) |
    (<u64>i8x16.bitmask(c) << 32) | (<u64>i8x16.bitmask(d) << 48);
}

// @ts-ignore: decorator
@inline
function prefixXor(x: u64): u64 {
  x ^= x << 1;
  x ^= x << 2;
  x ^= x << 4;
  x ^= x << 8;
  x ^= x << 16;
  return x ^ (x << 32);
}

/** Forgets the entries that `fields` took. */
function dropTaken(state: u32): void {
  const next = load<u32>(state, STATE_NEXT);
  if (next == 0) return;
  const left = load<u32>(state, STATE_COUNT) - next;
  const index = load<u32>(state, STATE_INDEX);
  memory.copy(index, index + (next << 2), left << 2);
  store<u32>(state, left, STATE_COUNT);
  store<u32>(state, 0, STATE_NEXT);
}

export function scan(state: u32): void {
  dropTaken(state);
  const base = load<u32>(state, STATE_BASE);
  const end = load<u32>(state, STATE_END);
  const index = load<u32>(state, STATE_INDEX);
  const full = index + ((load<u32>(state, STATE_CAPACITY) - INDEX_SLACK) << 2);
  const enough = load<u32>(state, STATE_ENOUGH);
  const delimiters = i8x16.splat(load<u8>(state, STATE_DELIMITER));
  const quote = load<u32>(state, STATE_QUOTE);
  const quoting: u64 = quote < 256 ? -1 : 0;
  const quotes = i8x16.splat(quote < 256 ? <u8>quote : CR);
  const feeds = i8x16.splat(LF);
  const returns = i8x16.splat(CR);
  const lineFrom = load<u32>(state, STATE_LINE_FROM);
  const lineEnd = load<u32>(state, STATE_LINE_END);
  store<u32>(state, 0, STATE_SUSPECT);

  let pos = load<u32>(state, STATE_POS);
  let mode = load<u32>(state, STATE_MODE);
  // The LF of a CRLF that was cut in two belongs to no record.
  if ((mode & MODE_AFTER_CR) != 0 && load<u32>(state, STATE_START) == pos && pos < end && load<u8>(base + pos) == LF) {
    store<u32>(state, pos + 1, STATE_START);
  }

  let out = index + (load<u32>(state, STATE_COUNT) << 2);
  let records = load<u32>(state, STATE_RECORDS);
  let lines = load<u32>(state, STATE_LINES);
  // The carries: `inside` all ones or 0, the others 0 or 1.
  let inside: u64 = (mode & MODE_PLACE) == MODE_QUOTED ? -1 : 0;
  let afterEnd: u64 = u64((mode & MODE_PLACE) == MODE_FIELD_START);
  let afterClose: u64 = u64((mode & MODE_PLACE) == MODE_CLOSED);
  let afterCr: u64 = u64((mode & MODE_AFTER_CR) != 0);
  let odd: u32 = mode & ODD;
  let high = i8x16.splat(0);
  let quiet = QUIET; // steps since the last one with a quote or a CR

  while (pos < end && out <= full && records < enough) {
    if (quiet >= QUIET && (inside | afterClose | afterCr | odd) == 0) {
      store<u32>(state, pos, STATE_POS);
      store<u32>(state, (out - index) >> 2, STATE_COUNT);
      store<u32>(state, records, STATE_RECORDS);
      store<u32>(state, lines, STATE_LINES);
      afterEnd = scanPlain(state, afterEnd);
      pos = load<u32>(state, STATE_POS);
      out = index + (load<u32>(state, STATE_COUNT) << 2);
      records = load<u32>(state, STATE_RECORDS);
      lines = load<u32>(state, STATE_LINES);
      quiet = 0;
      continue;
    }
    if (pos + 64 <= end && (pos >= lineEnd || pos + 64 <= lineFrom)) {
      const at = base + pos;
      const v0 = v128.load(at);
      const v1 = v128.load(at, 16);
      const v2 = v128.load(at, 32);
      const v3 = v128.load(at, 48);
      high = v128.or(high, v128.or(v128.or(v0, v1), v128.or(v2, v3)));
      const quoteBits = quoting & bits(i8x16.eq(v0, quotes), i8x16.eq(v1, quotes), i8x16.eq(v2, quotes), i8x16.eq(v3, quotes));
      const returnBits = bits(i8x16.eq(v0, returns), i8x16.eq(v1, returns), i8x16.eq(v2, returns), i8x16.eq(v3, returns));
      const feedBits = bits(i8x16.eq(v0, feeds), i8x16.eq(v1, feeds), i8x16.eq(v2, feeds), i8x16.eq(v3, feeds));
      quiet = (quoteBits | returnBits) == 0 ? quiet + 1 : 0;
      const delimiterBits = bits(
        i8x16.eq(v0, delimiters), i8x16.eq(v1, delimiters), i8x16.eq(v2, delimiters), i8x16.eq(v3, delimiters),
      );
      const insideBits = prefixXor(quoteBits) ^ inside;
      const opening = quoteBits & insideBits;
      const closing = quoteBits & ~insideBits;
      const allEnds = (delimiterBits | feedBits | returnBits) & ~insideBits;
      const closed = (closing << 1) | afterClose;
      const misplaced = (opening & ~((allEnds << 1) | afterEnd | closed)) | (closed & ~(allEnds | quoteBits));
      if ((misplaced | odd) == 0) {
        const secondHalf = feedBits & ((returnBits << 1) | afterCr);
        const lineEnds = (feedBits | returnBits) & ~secondHalf;
        const ends = allEnds & ~secondHalf;
        lines += <u32>popcnt(lineEnds);
        records += <u32>popcnt(ends & lineEnds);
        inside = <u64>(<i64>insideBits >> 63);
        afterEnd = allEnds >> 63;
        afterClose = closing >> 63;
        afterCr = returnBits >> 63;
        const next = writeEnds(out, pos, ends);
        mark(out, ends, lineEnds & ends, <u32>ENTRY_END);
        mark(out, ends, closed & ends, <u32>ENTRY_QUOTED);
        out = next;
        pos += 64;
        continue;
      }
    }
    // Malformed quotes, or less than 64 bytes left.
    mode = inside != 0 ? MODE_QUOTED : afterClose != 0 ? MODE_CLOSED : afterEnd != 0 ? MODE_FIELD_START : MODE_UNQUOTED;
    mode |= odd;
    if (afterCr != 0) mode |= MODE_AFTER_CR;
    store<u32>(state, lines, STATE_LINES);
    store<u32>(state, records, STATE_RECORDS);
    mode = scanBytes(state, pos, min(pos + 64, end), mode, out);
    pos = load<u32>(state, STATE_POS);
    lines = load<u32>(state, STATE_LINES);
    records = load<u32>(state, STATE_RECORDS);
    out = index + (load<u32>(state, STATE_COUNT) << 2);
    inside = (mode & MODE_PLACE) == MODE_QUOTED ? -1 : 0;
    afterEnd = u64((mode & MODE_PLACE) == MODE_FIELD_START);
    afterClose = u64((mode & MODE_PLACE) == MODE_CLOSED);
    afterCr = u64((mode & MODE_AFTER_CR) != 0);
    odd = mode & ODD;
    if (load<u32>(state, STATE_SUSPECT) != 0) break;
  }

  mode = inside != 0 ? MODE_QUOTED : afterClose != 0 ? MODE_CLOSED : afterEnd != 0 ? MODE_FIELD_START : MODE_UNQUOTED;
  mode |= odd;
  if (afterCr != 0) mode |= MODE_AFTER_CR;
  if (i8x16.bitmask(high) != 0) store<u32>(state, 1, STATE_NOT_ASCII);
  store<u32>(state, mode | (load<u32>(state, STATE_MODE) & MODE_SKIP), STATE_MODE);
  store<u32>(state, pos, STATE_POS);
  store<u32>(state, (out - index) >> 2, STATE_COUNT);
  store<u32>(state, records, STATE_RECORDS);
  store<u32>(state, lines, STATE_LINES);
}

/**
 * The common steps, as many as there are: no quote, no CR, nothing carried but whether the byte before is an end. Goes by
 * POS, COUNT, RECORDS and LINES of the state, and leaves them there; gives that carry. A function of its own, so that its loop
 * has all registers for itself.
 */
function scanPlain(state: u32, afterEnd: u64): u64 {
  const base = load<u32>(state, STATE_BASE);
  const index = load<u32>(state, STATE_INDEX);
  const full = index + ((load<u32>(state, STATE_CAPACITY) - INDEX_SLACK) << 2);
  const end = load<u32>(state, STATE_END);
  const enough = load<u32>(state, STATE_ENOUGH);
  const delimiters = i8x16.splat(load<u8>(state, STATE_DELIMITER));
  const quote = load<u32>(state, STATE_QUOTE);
  const quotes = i8x16.splat(quote < 256 ? <u8>quote : CR);
  const feeds = i8x16.splat(LF);
  const returns = i8x16.splat(CR);
  let high = i8x16.splat(0);
  const before = load<u32>(state, STATE_RECORDS);
  let records = before;
  let pos = load<u32>(state, STATE_POS);
  let out = index + (load<u32>(state, STATE_COUNT) << 2);
  while (pos + 64 <= end && out <= full && records < enough) {
    const at = base + pos;
    const v0 = v128.load(at);
    const v1 = v128.load(at, 16);
    const v2 = v128.load(at, 32);
    const v3 = v128.load(at, 48);
    const special = v128.or(
      v128.or(v128.or(i8x16.eq(v0, quotes), i8x16.eq(v0, returns)), v128.or(i8x16.eq(v1, quotes), i8x16.eq(v1, returns))),
      v128.or(v128.or(i8x16.eq(v2, quotes), i8x16.eq(v2, returns)), v128.or(i8x16.eq(v3, quotes), i8x16.eq(v3, returns))),
    );
    if (v128.any_true(special)) break;
    high = v128.or(high, v128.or(v128.or(v0, v1), v128.or(v2, v3)));
    const f0 = i8x16.eq(v0, feeds);
    const f1 = i8x16.eq(v1, feeds);
    const f2 = i8x16.eq(v2, feeds);
    const f3 = i8x16.eq(v3, feeds);
    const feedBits = bits(f0, f1, f2, f3);
    const ends = bits(
      v128.or(f0, i8x16.eq(v0, delimiters)), v128.or(f1, i8x16.eq(v1, delimiters)),
      v128.or(f2, i8x16.eq(v2, delimiters)), v128.or(f3, i8x16.eq(v3, delimiters)),
    );
    records += <u32>popcnt(feedBits);
    afterEnd = ends >> 63;
    const next = writeEnds(out, pos, ends);
    mark(out, ends, feedBits, <u32>ENTRY_END);
    out = next;
    pos += 64;
  }
  store<u32>(state, pos, STATE_POS);
  store<u32>(state, (out - index) >> 2, STATE_COUNT);
  store<u32>(state, records, STATE_RECORDS);
  store<u32>(state, load<u32>(state, STATE_LINES) + records - before, STATE_LINES);
  if (i8x16.bitmask(high) != 0) store<u32>(state, 1, STATE_NOT_ASCII);
  return afterEnd;
}

/**
 * Writes the positions of `ends` and gives the place behind the last. Five at a time without asking: a step has rarely more,
 * and what is behind the last is overwritten by the next step.
 */
// @ts-ignore: decorator
@inline
function writeEnds(out: u32, pos: u32, ends: u64): u32 {
  const next = out + (<u32>popcnt(ends) << 2);
  for (; out < next; out += 20) {
    store<u32>(out, pos + <u32>ctz(ends), 0);
    ends &= ends - 1;
    store<u32>(out, pos + <u32>ctz(ends), 4);
    ends &= ends - 1;
    store<u32>(out, pos + <u32>ctz(ends), 8);
    ends &= ends - 1;
    store<u32>(out, pos + <u32>ctz(ends), 12);
    ends &= ends - 1;
    store<u32>(out, pos + <u32>ctz(ends), 16);
    ends &= ends - 1;
  }
  return next;
}

/** Flags the entries of those `ends` that are `marked`. The first without asking: when there is none, it is what is behind the last. */
// @ts-ignore: decorator
@inline
function mark(out: u32, ends: u64, marked: u64, flag: u32): void {
  do {
    const at = out + (<u32>popcnt(ends & ~marked & (marked - 1)) << 2);
    store<u32>(at, load<u32>(at) | flag);
    marked &= marked - 1;
  } while (marked);
}

/** The state machine, byte by byte, over at most 64 bytes; leaves off behind a suspect record. Writes entries at `out`, and POS; gives the mode. */
function scanBytes(state: u32, pos: u32, stop: u32, mode: u32, out: u32): u32 {
  const base = load<u32>(state, STATE_BASE);
  const delimiter = load<u8>(state, STATE_DELIMITER);
  const quote = load<u32>(state, STATE_QUOTE);
  const lineFrom = load<u32>(state, STATE_LINE_FROM);
  const lineTo = load<u32>(state, STATE_LINE_END);
  let place = mode & MODE_PLACE;
  let bad = mode & MODE_BAD;
  let badRecord = mode & MODE_BAD_RECORD;
  let suspect = false;
  let afterCr = (mode & MODE_AFTER_CR) != 0;
  let lines: u32 = 0;
  let records: u32 = 0;
  let high: u32 = 0;
  for (; pos < stop && !suspect; pos++) {
    const byte = <u32>load<u8>(base + pos);
    high |= byte;
    const secondHalf = afterCr && byte == LF;
    afterCr = byte == CR;
    const lineEnd = byte == LF || byte == CR;
    lines += u32(lineEnd && !secondHalf);
    if (place == MODE_QUOTED && !(lineEnd && pos >= lineFrom && pos < lineTo)) {
      if (byte == quote) place = MODE_CLOSED;
    } else if (lineEnd || byte == delimiter) {
      if (secondHalf) continue;
      if (place == MODE_QUOTED) bad = MODE_BAD;
      let flags: u32 = place == MODE_CLOSED || place == MODE_QUOTED ? <u32>ENTRY_QUOTED : 0;
      if (bad) {
        flags |= <u32>ENTRY_BAD;
        badRecord = MODE_BAD_RECORD;
      }
      if (lineEnd) {
        flags |= <u32>ENTRY_END;
        records++;
        suspect = badRecord != 0;
        badRecord = 0;
      }
      store<u32>(out, pos | flags);
      out += 4;
      place = MODE_FIELD_START;
      bad = 0;
    } else if (byte == quote && place != MODE_UNQUOTED) {
      place = MODE_QUOTED;
    } else {
      if (byte == quote || place == MODE_CLOSED) bad = MODE_BAD;
      place = MODE_UNQUOTED;
    }
  }
  store<u32>(state, pos, STATE_POS);
  store<u32>(state, u32(suspect), STATE_SUSPECT);
  if (high > 127) store<u32>(state, 1, STATE_NOT_ASCII);
  store<u32>(state, load<u32>(state, STATE_LINES) + lines, STATE_LINES);
  store<u32>(state, load<u32>(state, STATE_RECORDS) + records, STATE_RECORDS);
  store<u32>(state, (out - load<u32>(state, STATE_INDEX)) >> 2, STATE_COUNT);
  return place | bad | badRecord | (afterCr ? MODE_AFTER_CR : 0);
}

export function finish(state: u32): void {
  const mode = load<u32>(state, STATE_MODE);
  const pos = load<u32>(state, STATE_POS);
  if (pos <= load<u32>(state, STATE_START) && (mode & MODE_SKIP) == 0) return;
  const place = mode & MODE_PLACE;
  let entry = pos | <u32>ENTRY_END;
  if (place == MODE_QUOTED || place == MODE_CLOSED) entry |= <u32>ENTRY_QUOTED;
  if (place == MODE_QUOTED || (mode & MODE_BAD) != 0) entry |= <u32>ENTRY_BAD;
  const count = load<u32>(state, STATE_COUNT);
  store<u32>(load<u32>(state, STATE_INDEX) + (count << 2), entry);
  store<u32>(state, count + 1, STATE_COUNT);
  store<u32>(state, load<u32>(state, STATE_RECORDS) + 1, STATE_RECORDS);
  store<u32>(state, mode & MODE_SKIP, STATE_MODE);
}

export function countLines(ptr: u32, length: u32, afterCr: u32): u32 {
  const end = ptr + length;
  const feeds = i8x16.splat(LF);
  const returns = i8x16.splat(CR);
  let lines: u32 = 0;
  for (; ptr + 16 <= end; ptr += 16) {
    const bytes = v128.load(ptr);
    const feedBits = <u32>i8x16.bitmask(i8x16.eq(bytes, feeds));
    const returnBits = <u32>i8x16.bitmask(i8x16.eq(bytes, returns));
    lines += popcnt(returnBits | (feedBits & ~((returnBits << 1) | u32(afterCr != 0))));
    afterCr = returnBits >> 15;
  }
  for (; ptr < end; ptr++) {
    const byte = load<u8>(ptr);
    lines += u32(byte == CR || (byte == LF && afterCr == 0));
    afterCr = u32(byte == CR);
  }
  return lines;
}
