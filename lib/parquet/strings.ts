/** User ids and regions as the string columns of Arrow: bytes back to back, offsets, and UTF-8 without exception. */
import type { RegionColumn, ResultColumns } from '../core/stage.ts';

const MAX_ENCODED = 4096;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // keeps a byte order mark that begins an id

/**
 * The ids of a batch with every ill-formed byte sequence replaced by U+FFFD, as WHATWG decoding does; undefined when
 * all of them are well formed already. A Parquet string must be UTF-8: readers refuse the whole column otherwise.
 * Two ids that differ only in such bytes become the same text, in two rows; so a parser had better reject them.
 */
export function wellFormedUsers(batch: ResultColumns): Pick<ResultColumns, 'userOffsets' | 'userBytes'> | undefined {
  const { rows, userOffsets, userBytes } = batch;
  const users: Uint8Array[] = [];
  let changed = false;
  for (let row = 0; row < rows; row++) {
    const user = userBytes.slice(userOffsets[row], userOffsets[row + 1]);
    const repaired = encoder.encode(decoder.decode(user));
    changed ||= Buffer.compare(user, repaired) !== 0;
    users.push(repaired);
  }
  if (!changed) return undefined;
  const { offsets, bytes } = concatenated(users);
  return { userOffsets: offsets, userBytes: bytes };
}

/** Regions as a column of strings; the arrays are reused from batch to batch. */
export class RegionStrings {
  #names: readonly string[] = [];
  /** Of the names that were needed last, by number: there may be a million in all. */
  readonly #encoded = new Map<number, Uint8Array>();
  #offsets = new Int32Array(0);
  #bytes = new Uint8Array(0);

  /** The first `rows` of a column; valid until the next call. */
  fill({ numbers, names }: RegionColumn, rows: number): { offsets: Int32Array; bytes: Uint8Array } {
    if (names !== this.#names) this.#encoded.clear();
    this.#names = names;
    if (this.#offsets.length <= rows) this.#offsets = new Int32Array(rows + 1);
    let end = 0;
    for (let row = 0; row < rows; row++) {
      const value = this.#bytesOf(numbers[row]!);
      if (end + value.length > this.#bytes.length) {
        const grown = new Uint8Array(2 * (end + value.length));
        grown.set(this.#bytes);
        this.#bytes = grown;
      }
      this.#bytes.set(value, end);
      this.#offsets[row + 1] = end += value.length;
    }
    return { offsets: this.#offsets, bytes: this.#bytes };
  }

  #bytesOf(number: number): Uint8Array {
    let bytes = this.#encoded.get(number);
    if (bytes) return bytes;
    if (this.#encoded.size >= MAX_ENCODED) this.#encoded.clear();
    this.#encoded.set(number, (bytes = encoder.encode(this.#names[number]!)));
    return bytes;
  }
}

function concatenated(parts: readonly Uint8Array[]): { offsets: Int32Array; bytes: Uint8Array } {
  const offsets = new Int32Array(parts.length + 1);
  parts.forEach((part, i) => (offsets[i + 1] = offsets[i]! + part.length));
  const bytes = new Uint8Array(offsets[parts.length]!);
  parts.forEach((part, i) => bytes.set(part, offsets[i]));
  return { offsets, bytes };
}
