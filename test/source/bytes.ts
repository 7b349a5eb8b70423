/** Bytes to decode, and how to decode them. */
import { spawnSync } from 'node:child_process';
import type { ByteSource, Decoder } from '../../lib/source/byte-source.ts';
import { Bzip2Decoder } from '../../lib/source/bzip2.ts';
import type { Compression } from '../../lib/source/content.ts';
import { GzipDecoder } from '../../lib/source/gzip.ts';
import { ZstdDecoder } from '../../lib/source/zstd.ts';

export const WINDOW = 8 << 20;

/** Gives `bytes` a target at a time, in a later turn of the event loop. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  let at = 0;
  return {
    async fill(target) {
      await new Promise(setImmediate);
      const part = bytes.subarray(at, at + target.length);
      target.set(part);
      at += part.length;
      return part.length;
    },
  };
}

export const decoders: Record<Compression, (source: ByteSource) => Decoder> = {
  gzip: (source) => new GzipDecoder(source, 'x'),
  zstd: (source) => new ZstdDecoder(source, 'x', WINDOW),
  bzip2: (source) => new Bzip2Decoder(source, 'x'),
};

/** All that a source has, asked for by targets of `room()` bytes. Shared memory, as blocks are in. */
export async function readAll(source: ByteSource, room = (): number => 100_000): Promise<Buffer> {
  const parts: Buffer[] = [];
  let memory = new SharedArrayBuffer(64);
  for (;;) {
    const bytes = room();
    if (memory.byteLength < bytes) memory = new SharedArrayBuffer(bytes);
    const target = new Uint8Array(memory, 0, bytes);
    const length = await source.fill(target);
    parts.push(Buffer.from(target.subarray(0, length)));
    if (length < target.length) return Buffer.concat(parts);
  }
}

/** What these bytes were, before they were compressed. */
export async function decode(format: Compression, bytes: Uint8Array, room?: () => number): Promise<Buffer> {
  const decoder = decoders[format](sourceOf(bytes));
  try {
    return await readAll(decoder, room);
  } finally {
    decoder.stop();
  }
}

/** What a program of this machine makes of `input`; undefined where it is not there. */
export function byProgram(program: string, args: readonly string[], input: Uint8Array): Buffer | undefined {
  const { error, status, stdout } = spawnSync(program, args, { input, maxBuffer: 1 << 28 });
  return error || status !== 0 ? undefined : stdout;
}
