/** Physical lines among bytes, for the host: LF, CRLF and CR, as the kernel counts them (`countLines`). */

const LF = 10;
const CR = 13;

/** The first line end in [from, to), or `to`. */
export function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  while (from < to && bytes[from] !== LF && bytes[from] !== CR) from++;
  return from;
}

/** Where the line after the one that ends at `end` begins; at most `to`. */
export function afterLine(bytes: Uint8Array, end: number, to: number): number {
  if (end >= to) return to;
  return end + 1 < to && bytes[end] === CR && bytes[end + 1] === LF ? end + 2 : end + 1;
}

/** Line ends in [from, to). */
export function countLineEnds(bytes: Uint8Array, from: number, to: number): number {
  let lines = 0;
  for (let at = lineEnd(bytes, from, to); at < to; at = lineEnd(bytes, afterLine(bytes, at, to), to)) lines++;
  return lines;
}
