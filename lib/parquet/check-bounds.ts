/** Whether what a file says of a column's values (read-bounds.ts) is what they are, page by page and for the row group. */
import { IntegerBounds } from './bounds.ts';
import { ORDER } from './format.ts';
import type { ColumnBounds, SaidBounds } from './read-bounds.ts';

/** Values of a column in a row group, as far as bounds go. */
export interface HeldValues {
  readonly rows: number;
  /** Of rows from `first` to before `end`, at least one. */
  bounds(first: number, end: number): SaidBounds;
  compare(a: Uint8Array, b: Uint8Array): number;
  /** For a message. */
  show(value: Uint8Array): string;
  /** Bounds of it are never wider than the values. */
  readonly areExact: boolean;
}

const SHOWN = 60;

export function heldIntegers(values: BigInt64Array): HeldValues {
  const integers = new IntegerBounds(values);
  const number = (bytes: Uint8Array): bigint => new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigInt64(0, true);
  return {
    rows: values.length,
    bounds(first, end) {
      const { min, max } = integers.extremes(first, end);
      return { min: integers.lower(min).bytes, max: integers.lower(max).bytes };
    },
    compare: (a, b) => Number(number(a) > number(b)) - Number(number(a) < number(b)),
    show: (value) => String(number(value)),
    areExact: true,
  };
}

/** `areSorted`: in ascending order of their bytes. */
export function heldTexts(values: readonly Uint8Array[], areSorted: boolean): HeldValues {
  return {
    rows: values.length,
    bounds(first, end) {
      let [min, max] = [values[first]!, values[end - 1]!];
      for (let row = first; row < end && !areSorted; row++) {
        const value = values[row]!;
        if (value === min || value === max) continue;
        if (Buffer.compare(value, min) < 0) min = value;
        if (Buffer.compare(value, max) > 0) max = value;
      }
      return { min, max };
    },
    compare: (a, b) => Buffer.compare(a, b),
    show: shown,
    areExact: false,
  };
}

/** A text for a message: in quotes, and not all of a long one. */
export function shown(text: Uint8Array): string {
  const all = Buffer.from(text).toString();
  return JSON.stringify(all.length > SHOWN ? `${all.slice(0, SHOWN)}...` : all);
}

/** What is wrong, as a clause; undefined when nothing is. `longest`: those of a row group that have as many bytes together may be left out. */
export function wrongBounds(said: ColumnBounds, held: HeldValues, longest = Infinity): string | undefined {
  let whole: SaidBounds | undefined;
  for (const [number, page] of said.pages.entries()) {
    const end = said.pages[number + 1]?.first ?? held.rows;
    if (!(page.first < end && end <= held.rows) || (number === 0 && page.first !== 0)) return `page ${number + 1} is said to begin with row ${page.first + 1}, which cannot be`;
    const bounds = held.bounds(page.first, end);
    const wrong = difference(page, bounds, held, held.areExact, held.areExact);
    if (wrong !== undefined) return `page ${number + 1} ${wrong}`;
    whole = whole ? widened(whole, bounds, held) : bounds;
  }
  if (!whole) return held.rows === 0 ? undefined : 'no page is said to have it';
  const { min, max } = said;
  if (!min || !max) {
    if (min || max || whole.min.length + whole.max.length < longest) return 'it has no bounds';
    return hasOrder(said, held) ? undefined : DISORDER;
  }
  const wrong = difference({ min, max }, whole, held, held.areExact || said.minIsExact, held.areExact || said.maxIsExact)
    ?? difference({ min: said.old.min ?? min, max: said.old.max ?? max }, whole, held, held.areExact, held.areExact);
  if (wrong !== undefined) return `it ${wrong}`;
  if (said.nulls !== 0) return 'it is said to have rows without a value';
  return hasOrder(said, held) ? undefined : DISORDER;
}

const DISORDER = 'its pages are not in the order that is said';

function difference(said: SaidBounds, is: SaidBounds, { compare, show }: HeldValues, minIsExact: boolean, maxIsExact: boolean): string | undefined {
  const [low, high] = [compare(said.min, is.min), compare(said.max, is.max)];
  const isRight = (minIsExact ? low === 0 : low <= 0) && (maxIsExact ? high === 0 : high >= 0);
  return isRight ? undefined : `is said to be from ${show(said.min)} to ${show(said.max)}, and is from ${show(is.min)} to ${show(is.max)}`;
}

function widened(a: SaidBounds, b: SaidBounds, { compare }: HeldValues): SaidBounds {
  return { min: compare(b.min, a.min) < 0 ? b.min : a.min, max: compare(b.max, a.max) > 0 ? b.max : a.max };
}

function hasOrder({ order, pages }: ColumnBounds, { compare }: HeldValues): boolean {
  const sign = order === ORDER.ascending ? 1 : order === ORDER.descending ? -1 : 0;
  return pages.every(({ min, max }, page) => page === 0 || (sign * compare(min, pages[page - 1]!.min) >= 0 && sign * compare(max, pages[page - 1]!.max) >= 0));
}
