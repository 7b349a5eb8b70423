/**
 * bzip2 to bytes: streams one after the other, blocks one after the other. There is no kept library for it that streams and
 * looks at the checksums, so it is decoded here (bzip2-block.ts).
 *
 *   stream  "BZh" level │ block ... │ 48-bit end mark, checksum of the blocks' checksums, zero bits up to a whole byte
 *   block   48-bit mark, checksum, ...                      level: 1 to 9, hundreds of thousands of bytes a block
 *
 * Memory: a whole compressed block and its chain, up to MOST_BZIP2_BYTES; the thread is held up for a block, some 50 ms.
 */
import { setImmediate } from 'node:timers/promises';
import { BitReader, CUT_OFF, MALFORMED } from './bit-reader.ts';
import { damaged, type ByteSource, type Decoder } from './byte-source.ts';
import { Bzip2Block, MAX_CODE_BITS } from './bzip2-block.ts';

const LEVEL_BYTES = 100_000;
/** The longest compressed block: 20 bits a symbol, and what stands before them. */
const inputBytes = (level: number): number => 2.5 * level * LEVEL_BYTES + 48_000;
export const MOST_BZIP2_BYTES = inputBytes(9) + 9 * LEVEL_BYTES * 4;
const HEADER_BYTES = 4;
const BLOCK_MARK = 0x314159265359;
const END_MARK = 0x177245385090;

export class Bzip2Decoder implements Decoder {
  readonly #source: ByteSource;
  readonly #name: string;
  #stopped = false;
  #level = 0;
  #block: Bzip2Block | undefined;
  /** What was read and not used: `#length` bytes at the start of the buffer, but for the first `#bit` bits. */
  #buffer = new Uint8Array(HEADER_BYTES);
  #length = 0;
  #bit = 0;
  readonly #bits = new BitReader(this.#buffer);
  /** Compressed bytes before the buffer. */
  #before = 0;
  #ended = false;
  /** Whether the block has more to give, and what its checksum has to be. */
  #inBlock = false;
  #blockCrc = 0;
  #streamCrc = 0;

  constructor(source: ByteSource, name: string) {
    this.#source = source;
    this.#name = name;
  }

  async fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length && !this.#stopped) {
      if (!this.#inBlock && !await this.#nextBlock()) break;
      const room = target.subarray(filled);
      const given = this.#block!.give(room);
      filled += given;
      if (given === room.length) break;
      this.#inBlock = false;
      this.#assert(this.#block!.crc === this.#blockCrc, 'do not have the checksum that they should have');
      this.#streamCrc = (this.#streamCrc << 1 | this.#streamCrc >>> 31) ^ this.#blockCrc;
    }
    return filled;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Of the next bit that was not used, in bytes. */
  get #at(): number {
    return this.#before + (this.#bit >>> 3);
  }

  /** Reads up to the next block, of whatever stream; false: there is none. */
  async #nextBlock(): Promise<boolean> {
    for (;;) {
      if (this.#level === 0 && !await this.#beginStream()) return false;
      await this.#fillBuffer();
      await setImmediate(); // signals and timers have their turn
      if (this.#stopped) return false;
      const mark = this.#take((bits) => bits.read(24) * 2 ** 24 + bits.read(24));
      const crc = this.#take((bits) => bits.read(16) * 2 ** 16 + bits.read(16));
      if (mark === BLOCK_MARK) {
        this.#take((bits) => this.#block!.read(bits));
        this.#blockCrc = crc;
        return this.#inBlock = true;
      }
      this.#assert(mark === END_MARK, 'are damaged');
      this.#assert(crc === this.#streamCrc >>> 0, 'do not have the checksum that they should have');
      this.#bit = 8 * Math.ceil(this.#bit / 8);
      this.#level = 0;
    }
  }

  /** Reads the header of a stream; false: the input has ended. */
  async #beginStream(): Promise<boolean> {
    const isFirst = this.#before === 0 && this.#length === 0;
    await this.#fillBuffer();
    if (this.#length === 0 || this.#stopped) return false;
    const [b = 0, z = 0, h = 0, digit = 0x31] = this.#buffer.subarray(0, this.#length);
    const begins = [0x42, 0x5a, 0x68].slice(0, this.#length).every((byte, at) => byte === [b, z, h][at]) && digit >= 0x31 && digit <= 0x39;
    this.#assert(begins, isFirst ? 'are damaged' : 'are followed by something else');
    if (this.#length < HEADER_BYTES) throw damaged(this.#name, 'bzip2', 'end in the middle', this.#before + this.#length);
    this.#bit = 8 * HEADER_BYTES;
    this.#level = digit - 0x30;
    this.#streamCrc = 0;
    const capacity = inputBytes(this.#level);
    if (this.#buffer.length < capacity) {
      const buffer = new Uint8Array(capacity);
      buffer.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = buffer;
      this.#block = new Bzip2Block(this.#level * LEVEL_BYTES);
    }
    return true;
  }

  /** Drops what was used, and reads as much as there is room for. */
  async #fillBuffer(): Promise<void> {
    const used = this.#bit >>> 3;
    this.#buffer.copyWithin(0, used, this.#length);
    this.#length -= used;
    this.#before += used;
    this.#bit &= 7;
    if (this.#ended || this.#length === this.#buffer.length) return;
    const room = this.#buffer.subarray(this.#length);
    const length = await this.#source.fill(room);
    this.#ended = length < room.length;
    this.#length += length;
  }

  /** What a reader of the bits that are there gives, which are used then. */
  #take<T>(read: (bits: BitReader) => T): T {
    const from = this.#bit >>> 3;
    const bits = this.#bits;
    const bytes = this.#buffer.subarray(from, this.#length);
    try {
      bits.reset(bytes, this.#bit & 7);
      return read(bits);
    } catch (error) {
      // Zeros were read where bits are missing, which may look like anything.
      const isCutOff = error === CUT_OFF || (error === MALFORMED && bits.position + MAX_CODE_BITS > 8 * bytes.length);
      if (isCutOff && this.#ended) throw damaged(this.#name, 'bzip2', 'end in the middle', this.#before + this.#length);
      if (error === CUT_OFF || error === MALFORMED) throw damaged(this.#name, 'bzip2', 'are damaged', this.#at);
      throw error;
    } finally {
      this.#bit = 8 * from + bits.position;
    }
  }

  #assert(holds: boolean, problem: string): void {
    if (!holds) throw damaged(this.#name, 'bzip2', problem, this.#at);
  }
}
