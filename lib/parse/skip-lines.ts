/** Leaves out the first physical lines of an input. */

const LF = 10;
const CR = 13;

export class LineSkipper {
  /** What was left out so far. */
  readonly skipped = { lines: 0, bytes: 0 };
  readonly #count: number;
  #afterCr = false;

  constructor(count: number) {
    this.#count = count;
  }

  /** What of the next chunk is not left out. */
  rest(chunk: Uint8Array): Uint8Array {
    let at = 0;
    while (at < chunk.length && (this.skipped.lines < this.#count || this.#afterCr)) {
      const byte = chunk[at]!;
      const isSecondHalf = this.#afterCr && byte === LF;
      this.#afterCr = byte === CR;
      if (isSecondHalf) at++;
      else if (this.skipped.lines === this.#count) break;
      else if (byte === LF || byte === CR) [this.skipped.lines, at] = [this.skipped.lines + 1, at + 1];
      else at++;
    }
    this.skipped.bytes += at;
    return chunk.subarray(at);
  }
}
