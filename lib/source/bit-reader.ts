/** Bits of a piece of memory, the highest of each byte first. Past the end there are zeros, until somebody asks whether that is where it is. */

/** Thrown, and caught by who knows which input it is: what is no data of the format, whatever comes behind it. */
export const MALFORMED = Symbol('malformed');
/** The same where data end too early. */
export const CUT_OFF = Symbol('cut off');

export class BitReader {
  #bytes: Uint8Array;
  /** Next byte. */
  #at = 0;
  /** The lowest `#count` bits are those that come next. */
  #bits = 0;
  #count = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bits from the start of the memory. */
  get position(): number {
    return 8 * this.#at - this.#count;
  }

  /** Goes on with other memory, from its bit `position`, which is less than 8. */
  reset(bytes: Uint8Array, position: number): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#count = 0;
    this.read(position);
  }

  /** The next bits, at most 24. Throws CUT_OFF. */
  read(bits: number): number {
    while (this.#count < bits) this.#more();
    this.#count -= bits;
    this.assertNotPastEnd();
    return this.#bits >>> this.#count & (1 << bits) - 1;
  }

  /** The next 20 bits, which stay the next. */
  peek20(): number {
    while (this.#count < 20) this.#more();
    return this.#bits >>> this.#count - 20 & 0xfffff;
  }

  skip(bits: number): void {
    this.#count -= bits;
  }

  /** Throws CUT_OFF when bits were taken that are not there. */
  assertNotPastEnd(): void {
    if (this.position > 8 * this.#bytes.length) throw CUT_OFF;
  }

  #more(): void {
    this.#bits = this.#bits << 8 | (this.#bytes[this.#at++] ?? 0);
    this.#count += 8;
  }
}
