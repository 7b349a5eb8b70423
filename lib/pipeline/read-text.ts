/** One input as the text that it stands for, decompressed and in UTF-8, without a run: chunk by chunk. */
import { stat } from 'node:fs/promises';
import { EtlError, messageOf } from '../core/errors.ts';
import type { Encoding } from '../core/options.ts';
import { TextReader } from '../source/text-reader.ts';

const CHUNK_BYTES = 1 << 18;

/** The text of the file at `path`, or of standard input if that is undefined. Each chunk is the caller's. Throws ETL_INPUT_READ. */
export async function* readText(path: string | undefined, encoding: Encoding = 'auto'): AsyncGenerator<Uint8Array, void, undefined> {
  const name = path ?? '<stdin>';
  const info = path === undefined ? undefined : await stat(path).catch((cause: unknown) => {
    throw new EtlError('ETL_INPUT_READ', `Cannot read the input ${name}: ${messageOf(cause)}.`, { cause });
  });
  const reader = new TextReader({ number: 0, name, path, size: info?.isFile() ? info.size : undefined, encoding });
  try {
    for (let filled = CHUNK_BYTES; filled === CHUNK_BYTES; ) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      filled = await reader.fill(chunk);
      if (filled > 0) yield chunk.subarray(0, filled);
    }
  } finally {
    await reader.close();
  }
}
