/** What stands in an input, by its first bytes: never by its name. */
import type { Encoding } from '../core/options.ts';

export type Compression = 'gzip' | 'zstd' | 'bzip2';
/** CSV as it is parsed, UTF-8; the same in another encoding; or compressed, in whatever encoding. */
export type Content = 'text' | 'transcoded' | Compression;
/** What text may have to be made UTF-8 from. */
export type OtherEncoding = Exclude<Encoding, 'auto' | 'utf-8'>;

/** So many bytes tell what an input is. */
export const HEAD_BYTES = 10;
/** So many bytes of text tell its encoding. */
export const BOM_BYTES = 2;

/** What frames of Zstandard begin with, as a number of 32 bits, the lowest byte first. */
export const ZSTD_FRAME = 0xfd2fb528;

/** Whether a skippable frame begins so. */
export function isSkippableFrame(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
}

const BZIP2_BLOCK = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
const BZIP2_END = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];

/** By the first HEAD_BYTES of an input, or all that it has. */
export function contentOf(head: Uint8Array, encoding: Encoding = 'auto'): Content {
  return compressionOf(head) ?? (encodingOf(head, encoding) === undefined ? 'text' : 'transcoded');
}

/**
 * RFC 1952, 2.3.1; RFC 8878, 3.1.1 and 3.1.2 (Zstandard and skippable frames); bzip2's `BZh1` to `BZh9`, with what must stand
 * behind it, since these are letters. An input of fewer bytes is compressed if it begins so and is no text.
 */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const [a = 0, b = 0, c = 0, d = 0] = head;
  if (a === 0x1f && b === 0x8b) return 'gzip';
  const magic = (a | b << 8 | c << 16 | d << 24) >>> 0;
  if (magic === ZSTD_FRAME || isSkippableFrame(magic)) return 'zstd';
  if (head.length < 4 && a === 0x28 && b === 0xb5) return 'zstd'; // cut off
  const isBzip2 = a === 0x42 && b === 0x5a && c === 0x68 && d >= 0x31 && d <= 0x39;
  const goesOn = (with_: readonly number[]): boolean => head.subarray(4, HEAD_BYTES).every((byte, at) => byte === with_[at]);
  return isBzip2 && (goesOn(BZIP2_BLOCK) || goesOn(BZIP2_END)) ? 'bzip2' : undefined;
}

/** Of text with these first BOM_BYTES, by what the user says of it; undefined: UTF-8. */
export function encodingOf(head: Uint8Array, encoding: Encoding = 'auto'): OtherEncoding | undefined {
  if (encoding !== 'auto') return encoding === 'utf-8' ? undefined : encoding;
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  return undefined;
}
