/**
 * What to do about a quote that was never closed: it runs into the next quote of the input, to its end or past the record limit,
 * and takes whole records with it. If what it took proves to be records (line-proof.ts), the record is cut at the end of the line
 * in which that quote stands, and what follows is scanned anew, line by line up to where the trouble was found:
 *
 *   1,"a,1.1.1.1,5 \n 2,"b",1.1.1.1,6 \n          malformed behind the quote before b: line 2 is a record
 *     ^from                         ^POS          scanned again from `from`; up to POS a line end ends a record inside quotes, too
 *
 * All of it depends on bytes of the record up to the limit and of nothing else, so not on how the input is cut into windows. Nothing
 * is scanned more than twice: in what is read line by line no quote reaches past its line.
 */
import {
  ENTRY_BAD, ENTRY_END, ENTRY_POSITION, MODE_BAD_RECORD, MODE_FIELD_START, MODE_SKIP, STATE_COUNT, STATE_DELIMITER, STATE_LINES, STATE_LINE_END, STATE_LINE_FROM, STATE_MODE, STATE_NEXT,
  STATE_POS, STATE_QUOTE, STATE_RECORDS, STATE_RECORD_LIMIT, STATE_START,
} from '../kernels/parse-layout.ts';
import { areRecords, isInsideQuotes } from './line-proof.ts';
import { afterLine, lineEnd } from './lines.ts';

/** A scanner's state, index and window. */
export interface Scanned {
  get(name: number): number;
  set(name: number, value: number): void;
  readonly index: Uint32Array;
  readonly bytes: Uint8Array;
  /** Fields of a record; 0: not known, so nothing can be proved. */
  readonly expected: number;
  countLines(from: number, to: number): number;
}

/** A field of a record in the index: its entry's number, which is that of the next one if the field is unfinished, and its first byte. */
interface Field {
  readonly entry: number;
  readonly from: number;
}

/**
 * The last record of the index may have malformed quotes; the scan has stopped behind it, or, with `ends`, the input has. True when it
 * is to go on from an earlier place.
 */
export function judgeSuspect(scanned: Scanned, ends: boolean): boolean {
  const { index, bytes } = scanned;
  const [count, next, position] = [scanned.get(STATE_COUNT), scanned.get(STATE_NEXT), scanned.get(STATE_POS)];
  const first = firstEntry(index, count - 2, next);
  if (first === next && (scanned.get(STATE_MODE) & MODE_SKIP) !== 0) return false;
  const start = startOf(scanned, first);
  if (endOf(index, count - 1) - start > scanned.get(STATE_RECORD_LIMIT)) return false; // judgeLong
  let entry = first;
  while (entry < count && (index[entry]! & ENTRY_BAD) === 0) entry++;
  if (entry === count || entry - first >= scanned.expected) return false;
  const field = { entry, from: entry === first ? start : endOf(index, entry - 1) + 1 };
  const end = endOf(index, entry);
  const line = lineEnd(bytes, field.from, end);
  return line < end && proves(scanned, line, position, ends) && goBack(scanned, first, field, position);
}

/** Looks at records that do not end before `checked`. True when one is longer than the limit, and the scan is to go on from an earlier place. */
export function judgeLong(scanned: Scanned, checked: number): boolean {
  const { index } = scanned;
  const limit = scanned.get(STATE_RECORD_LIMIT);
  const [count, next] = [scanned.get(STATE_COUNT), scanned.get(STATE_NEXT)];
  let first = count;
  while (first > next && endOf(index, first - 1) >= checked) first--;
  first = firstEntry(index, first - 1, next);
  const skipping = (scanned.get(STATE_MODE) & MODE_SKIP) !== 0;
  for (let after = first; first < count; first = after) {
    while (after < count && index[after]! < ENTRY_END) after++;
    if (after === count) break; // unfinished
    after++;
    if (first === next && skipping) continue;
    const start = startOf(scanned, first);
    if (endOf(index, after - 1) - start > limit && judgeAtLimit(scanned, first, start)) return true;
  }
  if (skipping && scanned.get(STATE_RECORDS) === 0) return false;
  const last = unfinished(scanned);
  return scanned.get(STATE_POS) - last.start > limit && judgeAtLimit(scanned, last.first, last.start);
}

function judgeAtLimit(scanned: Scanned, first: number, start: number): boolean {
  const { index, bytes } = scanned;
  const limit = start + scanned.get(STATE_RECORD_LIMIT);
  const count = scanned.get(STATE_COUNT);
  let entry = first;
  while (entry < count && endOf(index, entry) < limit) entry++;
  const from = entry === first ? start : endOf(index, entry - 1) + 1;
  const quote = scanned.get(STATE_QUOTE);
  if (entry - first >= scanned.expected || bytes[from] !== quote || !isInsideQuotes(bytes, from, limit, quote)) return false;
  const line = lineEnd(bytes, from, limit);
  return line < limit && proves(scanned, line, limit, false) && goBack(scanned, first, { entry, from }, limit);
}

/** Whether the lines behind the one that ends at `line`, up to `to`, are records. */
function proves(scanned: Scanned, line: number, to: number, ends: boolean): boolean {
  const dialect = { delimiter: scanned.get(STATE_DELIMITER), quote: scanned.get(STATE_QUOTE), fields: scanned.expected };
  return areRecords(scanned.bytes, afterLine(scanned.bytes, line, to), to, ends, dialect);
}

/** Forgets all from this field on, which is of the record whose entries begin at `first`: it is scanned again, up to `lines` line by line. */
function goBack(scanned: Scanned, first: number, { entry, from }: Field, lines: number): true {
  const { index } = scanned;
  let records = scanned.get(STATE_RECORDS);
  for (let at = entry; at < scanned.get(STATE_COUNT); at++) if (index[at]! >= ENTRY_END) records--;
  const isBad = index.subarray(first, entry).some((before) => (before & ENTRY_BAD) !== 0);
  scanned.set(STATE_LINES, scanned.get(STATE_LINES) - scanned.countLines(from, scanned.get(STATE_POS)));
  scanned.set(STATE_RECORDS, records);
  scanned.set(STATE_COUNT, entry);
  scanned.set(STATE_POS, from);
  scanned.set(STATE_MODE, (scanned.get(STATE_MODE) & MODE_SKIP) | MODE_FIELD_START | (isBad ? MODE_BAD_RECORD : 0));
  scanned.set(STATE_LINE_FROM, from);
  scanned.set(STATE_LINE_END, lines);
  return true;
}

/** What is behind the last whole record: its first entry, its first byte, and its last field, which is unfinished. */
function unfinished(scanned: Scanned): { first: number; start: number; field: Field } {
  const { index } = scanned;
  const count = scanned.get(STATE_COUNT);
  const first = firstEntry(index, count - 1, scanned.get(STATE_NEXT));
  const start = startOf(scanned, first);
  return { first, start, field: { entry: count, from: count === first ? start : endOf(index, count - 1) + 1 } };
}

/** The first entry of the record that `entry` is in, or that comes after it if that is its record's last. */
function firstEntry(index: Uint32Array, entry: number, next: number): number {
  while (entry >= next && index[entry]! < ENTRY_END) entry--;
  return entry + 1;
}

/** First byte of the record whose entries begin at `first`. */
function startOf(scanned: Scanned, first: number): number {
  if (first === scanned.get(STATE_NEXT)) return scanned.get(STATE_START);
  return afterLine(scanned.bytes, endOf(scanned.index, first - 1), scanned.get(STATE_POS));
}

function endOf(index: Uint32Array, entry: number): number {
  return index[entry]! & ENTRY_POSITION;
}
