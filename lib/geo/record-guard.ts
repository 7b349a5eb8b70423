/**
 * Stands between a database file and the decoder of maxmind, which believes what it reads: a few hostile bytes can make
 * it allocate gigabytes (an array said to have 16 million items), recurse without end (pointers in a circle) or work for
 * years (pointers to pointers to pointers, twice each). The guard walks over an encoded value before it is decoded.
 *
 * It plugs in as the decoder's cache: the decoder asks for the value at each record and pointer, and either gets the one
 * it decoded before, or the bytes are checked now. So the work done is at most the bytes checked, and that is bounded.
 *
 * Format: https://maxmind.github.io/MaxMind-DB/, "Output Data Section".
 */

/** Far above any record in use, far below the end of the stack. */
const MAX_DEPTH = 32;
/** Values (and 16-byte pieces of strings) that one database may make us look at: some seconds of work. */
const MAX_WORK = 1 << 26;
/** Decoded values that are kept: what many records share, like a country's names, is decoded once. */
const MAX_KEPT = 10_000;

const POINTER = 1;
const STRING = 2;
const MAP = 7;
const ARRAY = 11;
const BOOLEAN = 14;
/** Most bytes that a value of a type may have. */
const payload: Readonly<Record<number, number>> = {
  [STRING]: Infinity, 3: 8, 4: Infinity, 5: 4, 6: 4, 8: 4, 9: 8, 10: 16, 15: 4,
};
const pointerBase = [0, 2048, 526336, 0];

export class RecordGuard {
  readonly #bytes: Buffer;
  #base = 0;
  #end = 0;
  readonly #kept = new Map<number, unknown>();
  #work = 0;
  #depth = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** From now on values lie in [base, end), and pointers count from `base`. */
  setBounds(base: number, end: number): void {
    this.#base = base;
    this.#end = end;
  }

  /** Call before each record. */
  begin(): void {
    this.#depth = 0;
  }

  /** The decoder's question: what did you decode at this offset? Throws when it must not be decoded. */
  get(offset: number | string): unknown {
    const value = this.#kept.get(Number(offset));
    if (value !== undefined) return value;
    if (++this.#depth > MAX_DEPTH) throw new Error(`pointers are nested too deeply at offset ${offset}`);
    this.#check(Number(offset), 0, false);
    return undefined;
  }

  set(offset: number | string, value: unknown): void {
    this.#depth--;
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(Number(offset), value);
  }

  /** Checks the value at the base with all that it points to: the metadata, which are decoded without a cache. */
  checkAll(): void {
    this.#check(this.#base, 0, true);
  }

  /** Checks one value, and what it points to only if `follow`; gives the offset behind it. */
  #check(start: number, depth: number, follow: boolean): number {
    if (depth > MAX_DEPTH) throw new Error(`values are nested too deeply at offset ${start}`);
    if (++this.#work > MAX_WORK) throw new Error('the records are implausibly large');
    let at = start;
    const control = this.#byte(at++);
    let type = control >> 5;
    if (type === POINTER) {
      const target = this.#pointer(control, at);
      if (follow) this.#check(target, depth + 1, true);
      return at + ((control >> 3) & 3) + 1;
    }
    if (type === 0) type = this.#byte(at++) + 7;

    let size = control & 31;
    if (size > 28) {
      const extra = size - 28;
      size = [29, 285, 65821][extra - 1]! + this.#uint(at, extra);
      at += extra;
    }
    if (type === BOOLEAN) return at;
    if (type === MAP || type === ARRAY) {
      if (size > this.#end - at) throw new Error(`${size} items at offset ${start} do not fit the file`);
      for (let i = 0; i < size; i++) {
        if (type === MAP) at = this.#checkKey(at, depth + 1, follow);
        at = this.#check(at, depth + 1, follow);
      }
      return at;
    }
    const most = payload[type];
    if (most === undefined) throw new Error(`unknown type ${type} at offset ${start}`);
    if (size > most || size > this.#end - at) throw new Error(`a value of ${size} bytes at offset ${start} does not fit`);
    this.#work += size >> 4;
    return at + size;
  }

  /** A key is a string or points to one: the decoder would spell out anything else. */
  #checkKey(at: number, depth: number, follow: boolean): number {
    const control = this.#byte(at);
    const key = control >> 5 === POINTER ? this.#byte(this.#pointer(control, at + 1)) : control;
    if (key >> 5 !== STRING) throw new Error(`a key at offset ${at} is no text`);
    return this.#check(at, depth, follow);
  }

  #pointer(control: number, at: number): number {
    const size = (control >> 3) & 3;
    const high = size === 3 ? 0 : (control & 7) * 2 ** (8 * (size + 1));
    const target = this.#base + pointerBase[size]! + high + this.#uint(at, size + 1);
    if (target >= this.#end) throw new Error(`a pointer at offset ${at - 1} leads out of the file`);
    return target;
  }

  #uint(at: number, size: number): number {
    if (at + size > this.#end) throw new Error('a value is cut off');
    return this.#bytes.readUIntBE(at, size);
  }

  #byte(at: number): number {
    if (at >= this.#end) throw new Error('a value is cut off');
    return this.#bytes[at]!;
  }
}
