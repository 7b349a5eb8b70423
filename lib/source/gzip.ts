/**
 * gzip (RFC 1952) to bytes: members one after the other, by node:zlib in its thread pool, which goes on while the bytes that
 * there are are parsed. Node says nothing of what follows the last member; here it is an error, but for zero bytes up to the end,
 * with which tapes and block devices fill up, and which gzip(1) accepts.
 * Memory: some PIECE_BYTES, whatever the data expand to.
 */
import { createGunzip, type Gunzip } from 'node:zlib';
import { EtlError } from '../core/errors.ts';
import { damaged, type ByteSource, type Decoder } from './byte-source.ts';

/** Of compressed data that zlib has at a time, and of what it makes of them. */
const PIECE_BYTES = 64 << 10;
const NOTHING = new Uint8Array(0);

export class GzipDecoder implements Decoder {
  readonly #source: ByteSource;
  readonly #name: string;
  readonly #gunzip: Gunzip;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #feeding: Promise<void> | undefined;
  /** What went wrong while it was fed. */
  #failure: Error | undefined;
  /** Compressed bytes that were read. */
  #read = 0;
  /** Of a piece, what is still to be given. */
  #rest: Uint8Array = NOTHING;

  constructor(source: ByteSource, name: string) {
    this.#source = source;
    this.#name = name;
    this.#gunzip = createGunzip({ chunkSize: PIECE_BYTES, highWaterMark: 2 * PIECE_BYTES } as object);
    this.#gunzip.on('error', () => undefined); // told to who reads
    this.#pieces = this.#gunzip[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  async fill(target: Uint8Array): Promise<number> {
    this.#feeding ??= this.#feed().catch((error: Error) => {
      this.#failure = error;
      this.#gunzip.destroy(error);
    });
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0) {
        const piece = await this.#next();
        if (!piece) break;
        this.#rest = piece;
      }
      const part = this.#rest.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return filled;
  }

  stop(): void {
    this.#gunzip.destroy(new EtlError('ETL_ABORTED', 'Reading was stopped.'));
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#pieces.next();
      if (!done) return value;
      await this.#feeding; // whether anything follows
      if (this.#failure) throw this.#failure;
      return undefined;
    } catch (error) {
      throw this.#explained(error);
    }
  }

  async #feed(): Promise<void> {
    const gunzip = this.#gunzip;
    const buffer = new Uint8Array(PIECE_BYTES);
    for (let length = buffer.length; length === buffer.length;) {
      length = await this.#source.fill(buffer);
      this.#read += length;
      const piece = buffer.subarray(0, length);
      if (length > 0) await new Promise<void>((resolve, reject) => gunzip.write(piece, (error) => (error ? reject(error) : resolve())));
      const left = this.#read - gunzip.bytesWritten;
      if (left > 0) return this.#expectZeros(piece.subarray(length - left), buffer);
    }
    gunzip.end();
  }

  /** zlib ended at a zero byte where a member might begin. `piece` begins with it. */
  async #expectZeros(piece: Uint8Array, buffer: Uint8Array): Promise<void> {
    while (piece.length > 0) {
      const other = piece.findIndex((byte) => byte !== 0);
      if (other >= 0) throw damaged(this.#name, 'gzip', 'are followed by something else', this.#read - piece.length + other);
      const length = await this.#source.fill(buffer);
      this.#read += length;
      piece = buffer.subarray(0, length);
    }
  }

  #explained(error: unknown): unknown {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof EtlError || !code?.startsWith('Z_')) return error;
    if (code === 'Z_BUF_ERROR') return damaged(this.#name, 'gzip', 'end in the middle', this.#read, error);
    return damaged(this.#name, 'gzip', PROBLEMS[(error as Error).message] ?? 'are damaged', [this.#gunzip.bytesWritten, this.#read], error);
  }
}

/** By what zlib says. */
const PROBLEMS: Readonly<Record<string, string>> = {
  'incorrect data check': 'do not have the checksum that they should have',
  'incorrect length check': 'do not have the length that they should have',
  'incorrect header check': 'are followed by something else, or damaged',
};
