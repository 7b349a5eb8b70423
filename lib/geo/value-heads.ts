/**
 * What values in a database file begin with: their type, and how large they are. Every read stays within the bounds, and
 * all work is counted, in values and in 16-byte pieces of texts.
 *
 * Format: https://maxmind.github.io/MaxMind-DB/, "Output Data Section".
 */

export const POINTER = 1;
export const TEXT = 2;
export const BYTES = 4;
export const MAP = 7;
export const ARRAY = 11;
export const BOOLEAN = 14;

/** What one database may make us look at: two seconds of work. */
const MAX_WORK = 1 << 26;
const pointerBase = [0, 2048, 526336, 0];

export class ValueHeads {
  /** Of the value whose head was read last: its type; its items, entries or bytes, or where a pointer leads to. */
  type = 0;
  size = 0;
  readonly #bytes: Buffer;
  #base = 0;
  #end = 0;
  #work = 0;
  #most = MAX_WORK;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** From now on values lie in [base, end), and pointers count from `base`. */
  setBounds(base: number, end: number): void {
    this.#base = base;
    this.#end = end;
  }

  /** Reads the head at an offset; gives the offset behind it. What the value itself takes fits, too. */
  read(start: number): number {
    this.count(1);
    let at = start;
    const control = this.#byte(at++);
    this.type = control >> 5;
    if (this.type === POINTER) return this.#readPointer(control, at);
    if (this.type === 0) this.type = this.#extended(at++);
    this.size = control & 31;
    if (this.size > 28) {
      const extra = this.size - 28;
      this.size = [29, 285, 65821][extra - 1]! + this.#uint(at, extra);
      at += extra;
    }
    // An item has a byte at least.
    if (this.type !== BOOLEAN && this.size > this.#end - at) throw new Error(`what has size ${this.size} at offset ${start} does not fit the file`);
    return at;
  }

  /** Whether the bytes at an offset, which a value has, are these. */
  equal(at: number, size: number, key: Buffer): boolean {
    return size === key.length && this.#bytes.compare(key, 0, size, at, at + size) === 0;
  }

  /** Throws when it is too much. */
  count(work: number): void {
    this.#work += work;
    if (this.#work > this.#most) throw new Error(this.#most < MAX_WORK ? 'it is implausibly large' : 'the records are implausibly large');
  }

  /** Does something that takes no more than so much work. */
  within(work: number, doIt: () => void): void {
    this.#most = Math.min(MAX_WORK, this.#work + work);
    try {
      doIt();
    } finally {
      this.#most = MAX_WORK;
    }
  }

  #readPointer(control: number, at: number): number {
    const bytes = ((control >> 3) & 3) + 1;
    const high = bytes === 4 ? 0 : (control & 7) << (8 * bytes);
    this.size = this.#base + pointerBase[bytes - 1]! + high + this.#uint(at, bytes);
    if (this.size >= this.#end) throw new Error(`a pointer at offset ${at - 1} leads out of the file`);
    return at + bytes;
  }

  #extended(at: number): number {
    const type = this.#byte(at) + 7;
    if (type < 8) throw new Error(`there is no extended type at offset ${at}`);
    return type;
  }

  #uint(at: number, size: number): number {
    if (at + size > this.#end) throw new Error('a value is cut off');
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.#bytes[at + i]!;
    return value;
  }

  #byte(at: number): number {
    if (at >= this.#end) throw new Error('a value is cut off');
    return this.#bytes[at]!;
  }
}
