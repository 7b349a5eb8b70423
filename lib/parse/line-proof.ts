/**
 * Whether a quote was never closed: what it seems to quote are records of their own. A quoted field may hold any text, so
 * that alone proves nothing; it is asked only once the field has turned out to be malformed.
 */
import { afterLine, lineEnd } from './lines.ts';

/** Enough to tell, few enough to cost nothing. */
const LINES = 16;

export interface LineDialect {
  readonly delimiter: number;
  /** NO_QUOTE: none. */
  readonly quote: number;
  /** Fields of a record. */
  readonly fields: number;
}

/**
 * Whether at least half of the first lines in [from, to) of `bytes`, and at least one, are well-formed records by themselves, with
 * the right number of fields. Only whole lines count; with `ends` a last one needs no line end. Empty lines do not count.
 */
export function areRecords(bytes: Uint8Array, from: number, to: number, ends: boolean, dialect: LineDialect): boolean {
  let [lines, records] = [0, 0];
  while (from < to && lines < LINES) {
    const end = lineEnd(bytes, from, to);
    if (end === to && !ends) break;
    if (end > from) {
      lines++;
      if (isRecord(bytes, from, end, dialect)) records++;
    }
    from = afterLine(bytes, end, to);
  }
  return records > 0 && 2 * records >= lines;
}

/** Whether a scan that begins with the quote at `from` is inside quotes at `to`. */
export function isInsideQuotes(bytes: Uint8Array, from: number, to: number, quote: number): boolean {
  let inside = true;
  for (let at = from + 1; at < to; at++) {
    if (bytes[at] !== quote) {
      if (!inside) return false;
    } else {
      inside = !inside;
    }
  }
  return inside;
}

function isRecord(bytes: Uint8Array, from: number, to: number, { delimiter, quote, fields }: LineDialect): boolean {
  let found = 1;
  let place: 'start' | 'unquoted' | 'quoted' | 'closed' = 'start';
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte === quote) {
      if (place === 'unquoted') return false;
      place = place === 'quoted' ? 'closed' : 'quoted';
    } else if (place === 'quoted') {
      continue;
    } else if (byte === delimiter) {
      found++;
      place = 'start';
    } else {
      if (place === 'closed') return false;
      place = 'unquoted';
    }
  }
  return found === fields && place !== 'quoted';
}
