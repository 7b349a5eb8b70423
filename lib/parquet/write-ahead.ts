/**
 * Where encoded row groups wait for the disk: one buffer, used in a ring, so that no row group becomes garbage. A place
 * is contiguous; places are given back about in the order in which they were taken.
 *
 *   |    free    |place|place|given back|place|   free   |
 *                 ^ first                       ^ end of the last: the next place is here, or at 0 if it fits there
 *
 * Memory: `bytes`, or the largest row group if that is more, from the first row group on until `free`; or a buffer that is
 * lent.
 */
import { freeNow } from './free-now.ts';

/** Larger than any row group of ROW_GROUP_ROWS and ROW_GROUP_BYTES (3.3 MB), so that a small one fits besides. */
export const WRITE_AHEAD_BYTES = 4 << 20;

export interface Place {
  readonly bytes: Uint8Array;
  /** Idempotent; the bytes are another's then. */
  release(): void;
}

interface Span {
  readonly at: number;
  readonly end: number;
  free: boolean;
}

export class WriteAhead {
  readonly #bytes: number;
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #lent: Uint8Array<ArrayBuffer> | undefined;
  /** In the order in which they were taken; the first is not free. */
  readonly #spans: Span[] = [];
  #waiting: (() => void) | undefined;

  constructor(bytes = WRITE_AHEAD_BYTES) {
    this.#bytes = bytes;
  }

  /** Offers a buffer, before the first place is taken; it is used if it is large enough, and returned by `free`. */
  lend(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length >= this.#bytes) this.#lent = this.#buffer = buffer;
  }

  /** A place for `length` bytes, when there is room. One call at a time; ends only if those who have places release them. */
  async take(length: number): Promise<Place> {
    let at = this.#room(length);
    for (; at === undefined; at = this.#room(length)) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    const span: Span = { at, end: at + length, free: false };
    this.#spans.push(span);
    return {
      bytes: this.#buffer!.subarray(at, at + length),
      release: () => {
        span.free = true;
        while (this.#spans[0]?.free) this.#spans.shift();
        this.#waiting?.();
        this.#waiting = undefined;
      },
    };
  }

  /** Frees the memory, unless it was lent: no place is in use any more. */
  free(): void {
    if (this.#buffer && this.#buffer !== this.#lent) freeNow(this.#buffer.buffer);
    this.#buffer = undefined;
  }

  #room(length: number): number | undefined {
    const first = this.#spans[0];
    if (!first) {
      if (!this.#buffer || this.#buffer.length < length) {
        this.free();
        this.#buffer = new Uint8Array(Math.max(this.#bytes, length));
      }
      return 0;
    }
    const { at, end } = this.#spans.at(-1)!;
    const limit = at < first.at ? first.at : this.#buffer!.length;
    if (limit - end >= length) return end;
    return at >= first.at && first.at >= length ? 0 : undefined;
  }
}
