/**
 * Zstandard (RFC 8878) to bytes: frames and skippable frames one after the other, by libzstd itself (`zstddec`), which checks
 * sizes and checksums. A frame's header is looked at first: for what cannot be decompressed, and for how much of the output has to
 * be kept for it, its window, which is most of the memory that this takes.
 */
import { damaged, type ByteSource, type Decoder } from './byte-source.ts';
import { EtlError } from '../core/errors.ts';
import { isSkippableFrame, ZSTD_FRAME } from './content.ts';
import { loadZstd, type ZstdStream } from './zstd-library.ts';

/** What the format allows a decoder to refuse, and all libraries do unless told. */
export const MOST_WINDOW_BYTES = 128 << 20;
/** Longest header of a frame, and of a skippable one. */
const HEADER_BYTES = 18;
const SKIPPABLE_HEADER_BYTES = 8;

export class ZstdDecoder implements Decoder {
  readonly #source: ByteSource;
  readonly #name: string;
  readonly #windowBytes: number;
  #zstd: ZstdStream | undefined;
  #stopped = false;
  #inFrame = false;
  #ended = false;
  /** Compressed bytes that were read. */
  #read = 0;

  /** A frame with a window of more than `windowBytes` is an error. */
  constructor(source: ByteSource, name: string, windowBytes: number) {
    this.#source = source;
    this.#name = name;
    this.#windowBytes = Math.min(windowBytes, MOST_WINDOW_BYTES);
  }

  async fill(target: Uint8Array): Promise<number> {
    const zstd = this.#zstd ??= await loadZstd();
    let filled = 0;
    while (filled < target.length && !this.#stopped) {
      if (!this.#inFrame && !await this.#begin(zstd)) break;
      const { given, state } = zstd.decompress(target.subarray(filled));
      filled += given;
      if (typeof state === 'number') throw damaged(this.#name, 'Zstandard', PROBLEMS[state] ?? `are damaged (error ${state} of libzstd)`, this.#at(zstd));
      this.#inFrame = state !== 'frame ended';
      if (state === 'needs more' && !await this.#readMore(zstd)) throw damaged(this.#name, 'Zstandard', 'end in the middle', this.#read);
    }
    if (this.#stopped) this.stop();
    return filled;
  }

  stop(): void {
    this.#stopped = true;
    this.#zstd?.free();
  }

  /** Of the next compressed byte. */
  #at(zstd: ZstdStream): number {
    return this.#read - zstd.input.length;
  }

  /** Gives whether there was more. */
  async #readMore(zstd: ZstdStream): Promise<boolean> {
    if (this.#ended) return false;
    const room = zstd.room;
    const length = await this.#source.fill(room);
    this.#ended = length < room.length;
    this.#read += length;
    if (!this.#stopped) zstd.give(room.subarray(0, length));
    return length > 0;
  }

  /** Looks at the header of the next frame; false: there is none. */
  async #begin(zstd: ZstdStream): Promise<boolean> {
    while (zstd.input.length < HEADER_BYTES && await this.#readMore(zstd));
    if (this.#stopped) return false;
    const header = zstd.input.subarray(0, HEADER_BYTES);
    if (header.length === 0) return false;
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    const magic = header.length < 4 ? 0 : view.getUint32(0, true);
    this.#inFrame = true;
    if (isSkippableFrame(magic)) {
      if (header.length < SKIPPABLE_HEADER_BYTES) throw damaged(this.#name, 'Zstandard', 'end in the middle', this.#read);
      return true;
    }
    if (magic !== ZSTD_FRAME) {
      const isCutOff = header.length < 4 && (header[0] === 0x28 || (header[0]! & 0xf0) === 0x50);
      throw isCutOff ? damaged(this.#name, 'Zstandard', 'end in the middle', this.#read)
        : damaged(this.#name, 'Zstandard', 'are followed by something else', this.#at(zstd));
    }
    this.#refuse(view);
    return true;
  }

  /** What a frame may be that cannot be decompressed here. */
  #refuse(header: DataView): void {
    const frame = frameOf(header);
    if (!frame) throw damaged(this.#name, 'Zstandard', 'end in the middle', this.#read);
    if (frame.dictionary !== 0) {
      throw new EtlError('ETL_INPUT_READ', `The input ${this.#name} is Zstandard data that needs a dictionary, number ${frame.dictionary}.`, {
        hint: 'Decompress it on the way in: zstd -dc -D DICTIONARY FILE | etl-stream',
      });
    }
    if (frame.windowBytes > this.#windowBytes) {
      const most = this.#windowBytes < MOST_WINDOW_BYTES ? ` With more --memory, up to ${size(MOST_WINDOW_BYTES)} can be.` : '';
      throw new EtlError('ETL_INPUT_READ', `The input ${this.#name} is Zstandard data with a window of ${size(frame.windowBytes)}: at most ${size(this.#windowBytes)} can be kept.`, {
        hint: `Decompress it on the way in: zstd -dc --long=31 FILE | etl-stream.${most}`,
      });
    }
  }
}

/** What a frame's header says (RFC 8878, 3.1.1.1); undefined when it is cut off. */
function frameOf(header: DataView): { windowBytes: number; dictionary: number } | undefined {
  const descriptor = header.byteLength > 4 ? header.getUint8(4) : 0xff;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionaryAt = isSingleSegment ? 5 : 6;
  const contentSizeAt = dictionaryAt + dictionaryBytes;
  if (header.byteLength < contentSizeAt + contentSizeBytes) return undefined;
  const number = (at: number, bytes: number): number => {
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + header.getUint8(at + i);
    return value;
  };
  const dictionary = number(dictionaryAt, dictionaryBytes);
  if (isSingleSegment) return { windowBytes: number(contentSizeAt, contentSizeBytes) + (contentSizeBytes === 2 ? 256 : 0), dictionary };
  const window = header.getUint8(5);
  const base = 2 ** (10 + (window >> 3));
  return { windowBytes: base + base / 8 * (window & 7), dictionary };
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${Math.round(bytes / 1e6)} MB`;
}

/** By what libzstd says (zstd_errors.h). */
const PROBLEMS: Readonly<Record<number, string>> = {
  20: 'are damaged',
  22: 'do not have the checksum that they should have',
  64: 'need more memory than there is',
};
