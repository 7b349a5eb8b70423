/** User ids and regions as the string columns of Arrow: bytes back to back, offsets, and UTF-8 without exception. */
import type { ResultBatch } from '../core/stage.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // keeps a byte order mark that begins an id

/**
 * The ids of a batch with every ill-formed byte sequence replaced by U+FFFD, as WHATWG decoding does; undefined when
 * all of them are well formed already. A Parquet string must be UTF-8: readers refuse the whole column otherwise.
 * Two ids that differ only in such bytes become the same text, in two rows; so a parser had better reject them.
 */
export function wellFormedUsers(batch: ResultBatch): Pick<ResultBatch, 'userOffsets' | 'userBytes'> | undefined {
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

/** The first `rows` of `values` as a column. Meant for few different values: each is encoded once. */
export function stringColumn(values: readonly string[], rows: number): { offsets: Int32Array; bytes: Uint8Array } {
  const encoded = new Map<string, Uint8Array>();
  const parts: Uint8Array[] = [];
  for (let row = 0; row < rows; row++) {
    const value = values[row]!;
    let bytes = encoded.get(value);
    if (!bytes) encoded.set(value, (bytes = encoder.encode(value)));
    parts.push(bytes);
  }
  return concatenated(parts);
}

function concatenated(parts: readonly Uint8Array[]): { offsets: Int32Array; bytes: Uint8Array } {
  const offsets = new Int32Array(parts.length + 1);
  parts.forEach((part, i) => (offsets[i + 1] = offsets[i]! + part.length));
  const bytes = new Uint8Array(offsets[parts.length]!);
  parts.forEach((part, i) => bytes.set(part, offsets[i]));
  return { offsets, bytes };
}
