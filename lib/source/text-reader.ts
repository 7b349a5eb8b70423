/**
 * Reads one input front to back as the CSV text in UTF-8 that it stands for:
 *
 *   InputReader ── bytes as they stand ──► decompressed, by its first bytes ──► transcoded, by what is said or its byte order mark
 *
 * Each step makes no more than the next one has room for, so that memory does not depend on what an input expands to. What
 * is text already goes straight to its place.
 */
import { EtlError } from '../core/errors.ts';
import { Lookahead, type ByteSource, type Decoder } from './byte-source.ts';
import { Bzip2Decoder } from './bzip2.ts';
import { BOM_BYTES, compressionOf, encodingOf, HEAD_BYTES, type Compression, type Content } from './content.ts';
import { GzipDecoder } from './gzip.ts';
import type { InputFile } from './inputs.ts';
import { endsInput, InputReader } from './reader.ts';
import { Transcoder } from './transcode.ts';
import { MOST_WINDOW_BYTES, ZstdDecoder } from './zstd.ts';

export class TextReader implements ByteSource {
  readonly #input: InputFile;
  readonly #windowBytes: number;
  readonly #reader: InputReader;
  readonly #bytes: WholeInput;
  /** What has to be stopped, the last one first. */
  readonly #decoders: Decoder[] = [];
  #text: ByteSource | undefined;
  #content: Content | undefined;
  #filling: Promise<number> | undefined;
  #closed = false;

  /** `windowBytes`: the most that Zstandard data may want to have kept. */
  constructor(input: InputFile, windowBytes = MOST_WINDOW_BYTES) {
    this.#input = input;
    this.#windowBytes = windowBytes;
    this.#reader = new InputReader(input);
    this.#bytes = new WholeInput(input, this.#reader);
  }

  /** Bytes of the input, as they stand, that were read so far: what decoders have taken. */
  get bytesRead(): number {
    return this.#bytes.offset;
  }

  /** What stands in the input, once something was read of it. */
  get content(): Content | undefined {
    return this.#content;
  }

  /**
   * Fills `target` from its start; short only at the end of the input. Gives the number of bytes. Throws ETL_INPUT_READ with the
   * cause, also where compressed data are not what they should be.
   */
  fill(target: Uint8Array): Promise<number> {
    this.#filling = this.#fill(target);
    return this.#filling;
  }

  /** As that of InputReader. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const decoder of this.#decoders) decoder.stop();
    await this.#reader.close();
    await this.#filling?.catch(() => undefined); // whoever asked for it is told
  }

  async #fill(target: Uint8Array): Promise<number> {
    try {
      const text = this.#text ??= await this.#begin();
      return await text.fill(target);
    } catch (error) {
      if (this.#closed) throw new EtlError('ETL_ABORTED', 'Reading was stopped.', { cause: error }); // what came after that came of it
      throw error;
    }
  }

  async #begin(): Promise<ByteSource> {
    const { name, encoding } = this.#input;
    const bytes = new Lookahead(this.#bytes);
    const compression = compressionOf(await bytes.look(HEAD_BYTES));
    const text = compression === undefined ? bytes : new Lookahead(this.#decoder(decoderFor(compression, bytes, name, this.#windowBytes)));
    const other = encodingOf(compression === undefined ? bytes.head : await text.look(BOM_BYTES), encoding);
    this.#content = compression ?? (other === undefined ? 'text' : 'transcoded');
    return other === undefined ? text : this.#decoder(new Transcoder(text, other));
  }

  #decoder(decoder: Decoder): Decoder {
    this.#decoders.unshift(decoder);
    if (this.#closed) throw new EtlError('ETL_ABORTED', 'Reading was stopped.');
    return decoder;
  }
}

function decoderFor(compression: Compression, source: ByteSource, name: string, windowBytes: number): Decoder {
  if (compression === 'gzip') return new GzipDecoder(source, name);
  return compression === 'bzip2' ? new Bzip2Decoder(source, name) : new ZstdDecoder(source, name, windowBytes);
}

/** The bytes of an input, all of them: it fails where a file got shorter. */
class WholeInput implements ByteSource {
  readonly #input: InputFile;
  readonly #reader: InputReader;
  /** Bytes that were read. */
  offset = 0;

  constructor(input: InputFile, reader: InputReader) {
    this.#input = input;
    this.#reader = reader;
  }

  async fill(target: Uint8Array): Promise<number> {
    const length = await this.#reader.fill(target);
    endsInput(this.#input, this.offset, length, target.length);
    this.offset += length;
    return length;
  }
}
