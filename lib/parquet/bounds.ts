/**
 * The least and the greatest values of rows of a column, as Parquet's statistics have them. A value is named by its row
 * until it is needed as bytes: 8 of an integer; of a text 64 at most, cut between two characters, a greatest one then
 * with its last character raised by one, so that it still lies above (or whole, where that cannot be).
 * This is what parquet-rs writes, byte by byte, at a tenth of its time: see statistics.ts.
 */

/** Rows of the least and of the greatest value. */
export interface Extremes {
  readonly min: number;
  readonly max: number;
}

export interface Bound {
  readonly bytes: Uint8Array;
  /** Whether it is a value that is there. */
  readonly exact: boolean;
}

export interface BoundedColumn {
  readonly isNumber: boolean;
  /** Of the rows from `first` to before `end`, at least one. */
  extremes(first: number, end: number): Extremes;
  /** Whether the value of row `a` is less than that of row `b`. */
  isLess(a: number, b: number): boolean;
  lower(row: number): Bound;
  upper(row: number): Bound;
}

const MAX_BYTES = 64;
/** Turns the order of unsigned numbers into that of signed ones. */
const SIGN = 1 << 31;

/** 64-bit integers by their halves: as BigInts they would take longer than to be encoded. */
export class IntegerBounds implements BoundedColumn {
  readonly isNumber = true;
  readonly #halves: Int32Array;

  constructor(values: BigInt64Array) {
    this.#halves = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
  }

  extremes(first: number, end: number): Extremes {
    const halves = this.#halves;
    let [min, max] = [first, first];
    let minLow = halves[2 * first]! ^ SIGN;
    let minHigh = halves[2 * first + 1]!;
    let maxLow = minLow;
    let maxHigh = minHigh;
    for (let row = first + 1; row < end; row++) {
      const low = halves[2 * row]! ^ SIGN;
      const high = halves[2 * row + 1]!;
      if (high < minHigh || (high === minHigh && low < minLow)) {
        min = row;
        minLow = low;
        minHigh = high;
      } else if (high > maxHigh || (high === maxHigh && low > maxLow)) {
        max = row;
        maxLow = low;
        maxHigh = high;
      }
    }
    return { min, max };
  }

  isLess(a: number, b: number): boolean {
    const halves = this.#halves;
    const high = halves[2 * a + 1]! - halves[2 * b + 1]!;
    return high === 0 ? (halves[2 * a]! ^ SIGN) < (halves[2 * b]! ^ SIGN) : high < 0;
  }

  lower(row: number): Bound {
    return { bytes: new Uint8Array(this.#halves.buffer, this.#halves.byteOffset + 8 * row, 8), exact: true };
  }

  upper(row: number): Bound {
    return this.lower(row);
  }
}

/** Texts in ascending order of their bytes, well-formed UTF-8. */
export class SortedTextBounds implements BoundedColumn {
  readonly isNumber = false;
  readonly #offsets: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(offsets: Int32Array, bytes: Uint8Array) {
    this.#offsets = offsets;
    this.#bytes = bytes;
  }

  extremes(first: number, end: number): Extremes {
    return { min: first, max: end - 1 };
  }

  isLess(a: number, b: number): boolean {
    return a < b;
  }

  lower(row: number): Bound {
    const value = this.#value(row);
    return value.length <= MAX_BYTES ? { bytes: value, exact: true } : { bytes: beginning(value), exact: false };
  }

  upper(row: number): Bound {
    const value = this.#value(row);
    const raised = value.length <= MAX_BYTES ? undefined : nextAbove(beginning(value));
    return raised ? { bytes: raised, exact: false } : { bytes: value, exact: true };
  }

  #value(row: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[row], this.#offsets[row + 1]);
  }
}

/** As many whole characters as there is room for. */
function beginning(value: Uint8Array): Uint8Array {
  let end = MAX_BYTES;
  while ((value[end]! & 0xc0) === 0x80) end--;
  return value.subarray(0, end);
}

/** The same text up to a character that becomes the next one in order, of as many bytes: the last that has such a next one. */
function nextAbove(value: Uint8Array): Uint8Array | undefined {
  const characters = [...new TextDecoder('utf-8', { ignoreBOM: true }).decode(value.slice())]; // it takes no shared memory
  while (characters.length > 0) {
    const last = characters.pop()!;
    const next = last.codePointAt(0)! + 1;
    if (next > 0x10ffff || next === 0xd800) continue;
    const character = String.fromCodePoint(next);
    if (Buffer.byteLength(character) === Buffer.byteLength(last)) return Buffer.from(characters.join('') + character);
  }
  return undefined;
}
