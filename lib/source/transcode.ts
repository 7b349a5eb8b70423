/**
 * Text in another encoding to UTF-8. Nothing is replaced: what is no text in its encoding becomes bytes that are no UTF-8, so that
 * the row which has it is rejected. A byte order mark is a character like any other, and the parser skips it.
 */
import type { ByteSource, Decoder } from './byte-source.ts';
import type { OtherEncoding } from './content.ts';

/** Of other text that there is at a time. */
const PIECE_BYTES = 64 << 10;
/** Most bytes of UTF-8 for one unit, and for one that completes a pair. */
const MOST_BYTES = 4;
/** In UTF-8 nowhere. */
const NO_TEXT = 0xff;

/** Windows-1252 from 0x80 to 0x9f, as the WHATWG Encoding Standard has it: what Microsoft left open is a control character. */
const WINDOWS_1252 = Uint16Array.of(
  0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
  0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
);

export class Transcoder implements Decoder {
  readonly #source: ByteSource;
  /** Bytes of a unit; of two bytes, the place of the low one. */
  readonly #unit: 1 | 2;
  readonly #low: 0 | 1;
  readonly #isWindows: boolean;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  /** What of the piece is still to be transcoded. */
  #from = 0;
  #to = 0;
  #ended = false;
  /** The first half of a pair, whose second one must come next; 0: none. */
  #high = 0;
  /** UTF-8 that the last target had no room for. */
  readonly #spare = new Uint8Array(2 * MOST_BYTES);
  #rest: Uint8Array = this.#spare.subarray(0, 0);

  constructor(source: ByteSource, encoding: OtherEncoding) {
    this.#source = source;
    this.#unit = encoding === 'utf-16le' || encoding === 'utf-16be' ? 2 : 1;
    this.#low = encoding === 'utf-16be' ? 1 : 0;
    this.#isWindows = encoding === 'windows-1252';
  }

  async fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    for (;;) {
      const part = this.#rest.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
      if (filled === target.length) return filled;

      if (this.#to - this.#from < this.#unit && !this.#ended) await this.#read();
      if (this.#to - this.#from < this.#unit) {
        if (this.#to === this.#from && this.#high === 0) return filled;
        this.#rest = this.#spare.subarray(0, this.#end());
      } else if (target.length - filled >= MOST_BYTES) {
        filled = this.#transcode(target, filled, target.length - MOST_BYTES, this.#to);
      } else {
        this.#rest = this.#spare.subarray(0, this.#transcode(this.#spare, 0, MOST_BYTES, this.#from + this.#unit));
      }
    }
  }

  stop(): void {
    // It waits for nothing but its source.
  }

  async #read(): Promise<void> {
    this.#piece.copyWithin(0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
    const room = this.#piece.subarray(this.#to);
    const length = await this.#source.fill(room);
    this.#ended = length < room.length;
    this.#to += length;
  }

  /** What the input ends with that is no text: half of a pair, half of a unit. Gives how many bytes of `#spare` it takes. */
  #end(): number {
    let length = 0;
    if (this.#high !== 0) length = put(this.#spare, 0, this.#high);
    if (this.#to > this.#from) this.#spare[length++] = NO_TEXT;
    this.#high = 0;
    this.#from = this.#to;
    return length;
  }

  /** Units up to `to` of the piece, to `target` from `at` on, as long as `at` is at most `last`; gives where that ended. */
  #transcode(target: Uint8Array, at: number, last: number, to: number): number {
    return this.#unit === 2 ? this.#fromUtf16(target, at, last, to) : this.#fromBytes(target, at, last, to);
  }

  #fromBytes(target: Uint8Array, at: number, last: number, to: number): number {
    const piece = this.#piece;
    const isWindows = this.#isWindows;
    let from = this.#from;
    while (from < to && at <= last) {
      const byte = piece[from++]!;
      if (byte < 0x80) target[at++] = byte;
      else at = put(target, at, isWindows && byte < 0xa0 ? WINDOWS_1252[byte - 0x80]! : byte);
    }
    this.#from = from;
    return at;
  }

  #fromUtf16(target: Uint8Array, at: number, last: number, to: number): number {
    const piece = this.#piece;
    const low = this.#low;
    const high = 1 - low;
    let from = this.#from;
    let before = this.#high;
    while (from + 1 < to && at <= last) {
      const unit = piece[from + high]! << 8 | piece[from + low]!;
      if (before !== 0) {
        const isPair = unit >= 0xdc00 && unit < 0xe000;
        at = put(target, at, isPair ? 0x10000 + (before - 0xd800 << 10) + (unit - 0xdc00) : before);
        before = 0;
        if (!isPair) continue; // with the same unit, where there is room for it
        from += 2;
        continue;
      }
      from += 2;
      if (unit < 0x80) target[at++] = unit;
      else if (unit >= 0xd800 && unit < 0xdc00) before = unit;
      else at = put(target, at, unit);
    }
    this.#high = before;
    this.#from = from;
    return at;
  }
}

/** A character, or half of a pair, as UTF-8 would have it, which is no UTF-8 then (WTF-8); gives where it ends. */
function put(target: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    target[at++] = code;
  } else if (code < 0x800) {
    target[at++] = 0xc0 | code >>> 6;
    target[at++] = 0x80 | code & 0x3f;
  } else if (code < 0x10000) {
    target[at++] = 0xe0 | code >>> 12;
    target[at++] = 0x80 | code >>> 6 & 0x3f;
    target[at++] = 0x80 | code & 0x3f;
  } else {
    target[at++] = 0xf0 | code >>> 18;
    target[at++] = 0x80 | code >>> 12 & 0x3f;
    target[at++] = 0x80 | code >>> 6 & 0x3f;
    target[at++] = 0x80 | code & 0x3f;
  }
  return at;
}
