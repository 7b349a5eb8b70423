/** Numbers and strings as LevelDB's files have them (util/coding.h). */

/** A mark for what is not as LevelDB writes it; never leaves this room. */
export class NotLevel extends Error {}

export class LevelBytes {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;

  /** The bytes from `at` to before `end`. */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    if (!(at >= 0 && at <= end && end <= bytes.length)) throw new NotLevel('a place is outside');
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#end;
  }

  /** Up to 2^53. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 56; scale *= 128) {
      if (this.isAtEnd) break;
      const byte = this.#bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new NotLevel('a number is none');
  }

  fixed32(): number {
    this.skip(4);
    const at = this.at - 4;
    return (this.#bytes[at]! | (this.#bytes[at + 1]! << 8) | (this.#bytes[at + 2]! << 16) | (this.#bytes[at + 3]! << 24)) >>> 0;
  }

  skip(bytes: number): void {
    this.at += bytes;
    if (this.at > this.#end) throw new NotLevel('something ends too early');
  }

  skipString(): void {
    this.skip(this.varint());
  }
}
