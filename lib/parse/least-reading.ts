/**
 * Lines whose quotes are malformed -> the records that they were most likely meant to be: of all ways to take some of the quotes
 * for plain text, so that every record has the header's number of fields, the one that takes the fewest.
 *
 *   "7,x,"Boots, high","Warm"      of 4 fields:  `"7` `x` `Boots, high` `Warm`            the first quote is text
 *   7,x,"Boots, 10" high","Warm"   of 4 fields:  `7` `x` `Boots, 10" high` `Warm`         the one behind 10 is
 *   7,x,y,"\n8,x,y,"Warm"          of 4 fields:  two records; the last field of the first is `"`
 *
 * A quoted field may end at any quote that a delimiter, a line end or the end follows. Quotes in it that are not doubled (or
 * escaped) are text; so are all quotes in a field that is not quoted, which no line end may be in. It is a shortest path: from
 * each place where a field may begin to each where it may end, at a cost of 1 for each quote taken for text, and a little for each
 * line end inside quotes: lines are likelier to be records. Where two readings cost the same there is none: nobody could tell which
 * was meant.
 *
 * Memory and time are bounded: over MAX_TEXT bytes or MAX_STEPS steps there is no reading.
 */
import type { Dialect } from '../core/dialect.ts';

type Quoting = Pick<Dialect, 'delimiter' | 'quote' | 'escape'>;

/** Most bytes of what is read again. */
export const MAX_TEXT = 1 << 16;
/** Some 50 ms. */
const MAX_STEPS = 2e6;
const QUOTE_AS_TEXT = 1;
const QUOTED_LINE_END = 2 ** -20;

export interface ReadRecord {
  /** Where in the text it begins and ends, line end excluded. */
  readonly from: number;
  readonly to: number;
  readonly fields: string[];
}

/** A field, from the place it is an edge of. */
interface Edge {
  readonly to: number;
  /** Where the next field begins. */
  readonly next: number;
  readonly endsRecord: boolean;
  readonly quoted: boolean;
  readonly cost: number;
}

/** The best way to a place, when `fields` of its record are before it. */
interface Way {
  cost: number;
  /** Another way costs the same. */
  tied: boolean;
  readonly from: number;
  /** The field that ends here; undefined at the start, and behind an empty line. */
  readonly edge: Edge | undefined;
}

/**
 * The records in `text`, one line or more, each of `width` fields. It and the dialect have one character for each byte (latin1), so
 * that any bytes come back. undefined when there is no reading, or none that is better than all others.
 */
export function leastReading(text: string, dialect: Quoting, width: number): ReadRecord[] | undefined {
  if (text.length > MAX_TEXT || width < 1 || dialect.quote === '') return undefined;
  /** By place, by number of fields before it. */
  const ways = new Map<number, Map<number, Way>>([[0, new Map([[0, { cost: 0, tied: false, from: -1, edge: undefined }]])]]);
  const offer = (at: number, fields: number, way: Way): void => {
    let there = ways.get(at);
    if (!there) ways.set(at, there = new Map());
    const known = there.get(fields);
    if (!known || way.cost < known.cost) there.set(fields, way);
    else if (way.cost === known.cost) known.tied = true;
  };
  let steps = 0;
  for (const at of placesOf(text, dialect.delimiter)) {
    const here = ways.get(at);
    if (!here) continue;
    const start = here.get(0);
    const emptyLine = lineEndAt(text, at);
    if (start && emptyLine > 0) offer(at + emptyLine, 0, { ...start, from: at, edge: undefined });
    for (const edge of edgesFrom(text, at, dialect)) {
      if ((steps += edge.to - at + here.size) > MAX_STEPS) return undefined;
      for (const [fields, way] of here) {
        if (fields === 0 && (at === text.length || emptyLine > 0)) continue; // no record begins here
        if (edge.endsRecord ? fields + 1 !== width : fields + 1 >= width) continue;
        offer(edge.next, edge.endsRecord ? 0 : fields + 1, { cost: way.cost + edge.cost, tied: way.tied, from: at, edge });
      }
    }
  }
  const end = ways.get(text.length)?.get(0);
  return end?.tied === false ? recordsOf(text, ways, dialect, width) : undefined;
}

/** Where a field may begin, in order: at the start, behind each delimiter and each line end. */
function placesOf(text: string, delimiter: string): number[] {
  const places = new Set([0]);
  for (let at = 0; at < text.length; at++) {
    const lineEnd = lineEndAt(text, at);
    if (lineEnd > 0) places.add(at + lineEnd);
    else if (text.startsWith(delimiter, at)) places.add(at + delimiter.length);
  }
  return [...places].sort((a, b) => a - b);
}

/** Its length; 0 = there is none. */
function lineEndAt(text: string, at: number): number {
  if (text[at] === '\n') return 1;
  if (text[at] !== '\r') return 0;
  return text[at + 1] === '\n' ? 2 : 1;
}

function* edgesFrom(text: string, from: number, { delimiter, quote, escape }: Quoting): Generator<Edge> {
  const endAt = (to: number): Pick<Edge, 'to' | 'next' | 'endsRecord'> | undefined => {
    const lineEnd = lineEndAt(text, to);
    if (lineEnd > 0 || to === text.length) return { to, next: to + lineEnd, endsRecord: true };
    return text.startsWith(delimiter, to) ? { to, next: to + delimiter.length, endsRecord: false } : undefined;
  };
  let cost = 0;
  for (let at = from; ; at++) {
    const end = endAt(at);
    if (end) {
      yield { ...end, quoted: false, cost };
      break;
    }
    if (text.startsWith(quote, at)) cost += QUOTE_AS_TEXT;
  }
  if (!text.startsWith(quote, from)) return;
  cost = 0;
  for (let at = from + quote.length; at < text.length; at++) {
    if (escape !== quote && text.startsWith(escape, at)) {
      at += escape.length;
    } else if (text.startsWith(quote, at)) {
      const behind = at + quote.length;
      const doubled = escape === quote && text.startsWith(quote, behind);
      const end = endAt(behind) ?? (doubled ? endAt(behind + quote.length) : undefined);
      if (end) yield { ...end, quoted: true, cost: doubled ? cost + QUOTE_AS_TEXT : cost };
      at = behind - 1;
      if (doubled) at += quote.length;
      else cost += QUOTE_AS_TEXT;
    } else if (text[at] === '\n' || text[at] === '\r') {
      cost += QUOTED_LINE_END;
    }
  }
}

/** From the end back to the start. */
function recordsOf(text: string, ways: ReadonlyMap<number, ReadonlyMap<number, Way>>, dialect: Quoting, width: number): ReadRecord[] {
  const records: ReadRecord[] = [];
  let fields: string[] = [];
  let [at, before, to] = [text.length, 0, 0];
  for (;;) {
    const { edge, from } = ways.get(at)!.get(before)!;
    if (from < 0) return records.reverse();
    if (edge) {
      if (edge.endsRecord) to = edge.to;
      before = edge.endsRecord ? width - 1 : before - 1;
      fields.push(edge.quoted ? contentOf(text.slice(from + dialect.quote.length, edge.to - dialect.quote.length), dialect) : text.slice(from, edge.to));
      if (before === 0) records.push({ from, to, fields: fields.reverse() });
      if (before === 0) fields = [];
    }
    at = from;
  }
}

function contentOf(inside: string, { quote, escape }: Quoting): string {
  if (escape === quote) return inside.replaceAll(quote + quote, quote);
  let content = '';
  for (let at = 0; at < inside.length; at++) {
    if (inside.startsWith(escape, at) && at + escape.length < inside.length) at += escape.length;
    content += inside[at];
  }
  return content;
}

/** A dialect whose characters are bytes, as those of what is read again are. */
export function latin1Dialect({ delimiter, quote, escape }: Quoting): Quoting {
  const bytes = (text: string): string => Buffer.from(text).toString('latin1');
  return { delimiter: bytes(delimiter), quote: bytes(quote), escape: bytes(escape) };
}
