/** A bounded, even sample of a file's rows: every k-th, for k such that the file's rows about fill it. */
import { MAX_ROW_BYTES } from './rows.ts';

const MAX_ROWS = 65536;
const ROW_BYTES = 87;

export class RowSample {
  readonly #step: number;
  readonly #bytes: Uint8Array;
  readonly #lengths: Uint8Array;
  #offered = 0;
  count = 0;

  /** For the rows of a file of about `fileBytes`; 0 keeps none. */
  constructor(fileBytes: number) {
    const rows = Math.ceil(fileBytes / ROW_BYTES);
    this.#step = Math.max(1, Math.ceil(rows / MAX_ROWS));
    this.#lengths = new Uint8Array(Math.min(rows, MAX_ROWS));
    this.#bytes = new Uint8Array(this.#lengths.length * MAX_ROW_BYTES);
  }

  offer(source: Uint8Array, start: number, end: number): void {
    if (this.#offered++ % this.#step !== 0 || this.count === this.#lengths.length) return;
    this.#bytes.set(source.subarray(start, end), this.count * MAX_ROW_BYTES);
    this.#lengths[this.count++] = end - start;
  }

  /** Copies row `index` to `at`; gives the position after it. */
  copy(index: number, target: Uint8Array, at: number): number {
    const start = index * MAX_ROW_BYTES;
    const length = this.#lengths[index]!;
    target.set(this.#bytes.subarray(start, start + length), at);
    return at + length;
  }
}
