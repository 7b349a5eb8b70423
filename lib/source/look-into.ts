/** What files are, before it is planned how they are read: text in UTF-8 by threads in turns, all else by main. */
import { open } from 'node:fs/promises';
import pLimit from 'p-limit';
import { contentOf, HEAD_BYTES, type Compression } from './content.ts';
import type { InputFile } from './inputs.ts';
import { unreadable } from './reader.ts';
import { MOST_BZIP2_BYTES } from './bzip2.ts';
import { MOST_WINDOW_BYTES } from './zstd.ts';

/** Of files that are looked into at a time. */
const OPEN_AT_ONCE = 16;
/** Where a run may have less, little is kept for a window of Zstandard. */
const WIDE_WINDOW_FROM = 200e6;
const NARROW_WINDOW_BYTES = 4 << 20;
/** What a format takes besides, its code and what V8 does not give back at once included. */
const GZIP_BYTES = 2e6;
const ZSTD_BYTES = 5e6;
/** Compressed logs were seen to expand to 2.5 to 10 times their size. */
const EXPANDS_TO = 5;

/** The inputs with what stands in those that are files. Throws ETL_INPUT_READ. */
export async function lookInto(inputs: readonly InputFile[]): Promise<InputFile[]> {
  const limit = pLimit(OPEN_AT_ONCE);
  return limit.map(inputs, async (input) => {
    const { path, size, encoding } = input;
    return size === undefined ? input : { ...input, content: contentOf(await headOf(path!, input), encoding) };
  });
}

/** Whether threads can read all of them in turns. */
export function areText(inputs: readonly InputFile[]): boolean {
  return inputs.every(({ content }) => content === 'text');
}

/** The most of a window of Zstandard that a run may keep which may have `memory` bytes. */
export function windowBytes(memory: number): number {
  if (memory < WIDE_WINDOW_FROM) return NARROW_WINDOW_BYTES;
  return Math.min(MOST_WINDOW_BYTES, Math.max(8 << 20, Math.floor(memory / 14)));
}

/** What decompressing takes, one input after the other; `window`: that of Zstandard. */
export function decodingBytes(compressions: Iterable<Compression>, window: number): number {
  const bytes: Record<Compression, number> = { gzip: GZIP_BYTES, zstd: ZSTD_BYTES + window, bzip2: MOST_BZIP2_BYTES };
  return Math.max(0, ...Array.from(compressions, (compression) => bytes[compression]));
}

/** About how many bytes of text a file has. */
export function expectedBytes({ size = 0, content }: InputFile): number {
  return isCompressed(content) ? EXPANDS_TO * size : size;
}

export function isCompressed(content: InputFile['content']): content is Compression {
  return content !== undefined && content !== 'text' && content !== 'transcoded';
}

async function headOf(path: string, input: InputFile): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw unreadable(input, cause);
  }
}
