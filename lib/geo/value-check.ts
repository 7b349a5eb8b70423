/**
 * Stands between a database file and the decoder of maxmind, which believes what it reads: a few hostile bytes can make
 * it allocate gigabytes (a map said to have 16 million entries), recurse without end (pointers in a circle) or work for
 * years (pointers to pointers to pointers, twice each). What is decoded, or searched for a field, was walked over here.
 */
import { ARRAY, BOOLEAN, BYTES, MAP, POINTER, TEXT, type ValueHeads } from './value-heads.ts';

/** Far above any record in use, far below the end of the stack. */
const MAX_DEPTH = 48;
/** What a record costs besides its values. */
const RECORD_WORK = 4;
/** What may be decoded as a whole: metadata, or a record that is shown to a person. Real ones have a few hundred. */
const MAX_WHOLE_WORK = 1 << 14;
/** Targets of pointers that are known to be good: what many records share, like a country, is checked once. */
const MAX_GOOD = 100_000;
/** Most bytes that a value of a type may have. */
const payload: Readonly<Record<number, number>> = {
  [TEXT]: Infinity, 3: 8, [BYTES]: Infinity, 5: 4, 6: 4, 8: 4, 9: 8, 10: 16, 15: 4,
};

export class ValueCheck {
  readonly #heads: ValueHeads;
  readonly #good = new Set<number>();
  /** Every way to a value is walked, as the decoder does. */
  #isWhole = false;

  constructor(heads: ValueHeads) {
    this.#heads = heads;
  }

  /** Checks a value and all that it points to. Throws an Error that says what is wrong. */
  check(at: number): void {
    this.#heads.count(RECORD_WORK);
    this.#check(at, 0);
  }

  /** Checks that a value may be decoded as a whole. Throws as `check`, and when it is too much for that. */
  checkWhole(at: number): void {
    this.#isWhole = true;
    try {
      this.#heads.within(MAX_WHOLE_WORK, () => this.#check(at, 0));
    } finally {
      this.#isWhole = false;
    }
  }

  /** Gives the offset behind the value. */
  #check(start: number, depth: number): number {
    if (depth > MAX_DEPTH) throw new Error(`values are nested too deeply at offset ${start}`);
    let at = this.#heads.read(start);
    const { type, size } = this.#heads;
    if (type === POINTER) {
      this.#checkTarget(size, depth + 1);
      return at;
    }
    if (type !== MAP && type !== ARRAY) return at + this.#length(start);
    for (let i = 0; i < size; i++) {
      if (type === MAP) at = this.#checkKey(at);
      at = this.#check(at, depth + 1);
    }
    return at;
  }

  #checkTarget(target: number, depth: number): void {
    if (!this.#isWhole && this.#good.has(target)) return;
    this.#check(target, depth);
    if (this.#good.size >= MAX_GOOD) this.#good.clear();
    this.#good.add(target);
  }

  /** A key is a text or points to one: the decoder would spell out anything else. */
  #checkKey(start: number): number {
    let at = this.#heads.read(start);
    const isPointer = this.#heads.type === POINTER;
    if (isPointer) this.#heads.read(this.#heads.size);
    if (this.#heads.type !== TEXT) throw new Error(`a key at offset ${start} is no text`);
    const length = this.#length(start);
    if (!isPointer) at += length;
    return at;
  }

  /** Bytes behind the head of what is neither a map nor an array nor a pointer. */
  #length(start: number): number {
    const { type, size } = this.#heads;
    if (type === BOOLEAN) return 0;
    const most = payload[type];
    if (most === undefined) throw new Error(`unknown type ${type} at offset ${start}`);
    if (size > most) throw new Error(`a value of ${size} bytes at offset ${start} is too long for type ${type}`);
    this.#heads.count(size >> 4);
    return size;
  }
}
