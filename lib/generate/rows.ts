/**
 * One row at a time into a byte buffer: no strings, no floating-point functions, so that the bytes are the same on
 * every machine (IEEE 754 multiplication is exact about its rounding; Math.pow is not).
 *
 * User activity: the user of rank r of N comes up in proportion to the density of floor(N * u^3), u uniform: as
 * r^(-2/3). An eighth of the users has half of the rows, and the tail is long.
 */
import { AddressWriter } from './addresses.ts';
import { lineEnds } from './options.ts';
import type { LogShape } from './options.ts';
import { mix, threshold16 } from './random.ts';
import type { RandomWords } from './random.ts';

export const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)';
/** No row is longer: id 36, user 15, time 20, address 39, value 3, 14 of quotes and commas, 2 of line end, and a bad row's extras. */
export const MAX_ROW_BYTES = 160;
/** What is wrong with a row. All but the last make it a reject; a bad address counts as an unknown region. */
export const flaws = { none: 0, noId: 1, noUser: 2, badValue: 3, fieldCount: 4, strayQuote: 5, badAddress: 6 } as const;
export const FLAWS = 6;

const COMMA = 44;
const QUOTE = 34;
const DASH = 45;
const ZERO = 48;
const MAX_MINUTES = 240;
const hexDigits = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const userPrefix = ascii('user_');
/** What stands between address and value: a field too many, or one too few. */
const wrongEnds = [',x,', ';'].map(ascii);
const badValues = ['', 'n/a', '12x', '1e'].map(ascii);
const badAddresses = ['', 'unknown', '999.1.2.3', '1.2.3'].map(ascii);

export class RowWriter {
  readonly #bytes: Uint8Array;
  readonly #random: RandomWords;
  readonly #addresses: AddressWriter;
  readonly #users: number;
  readonly #userMask: number;
  readonly #userShift: number;
  readonly #userDigits: number;
  readonly #userSalt: number;
  readonly #quoted: number;
  readonly #lineEnd: Uint8Array;
  readonly #time: Uint8Array;
  #second = -1;

  /** Rows of day `day` (0 = 2026-01-01) into `bytes`. */
  constructor(bytes: Uint8Array, random: RandomWords, shape: LogShape, day: number) {
    this.#bytes = bytes;
    this.#random = random;
    this.#addresses = new AddressWriter(bytes, random, shape.seed, shape.ipv6);
    this.#users = shape.users;
    const bits = Math.max(2, 32 - Math.clz32(shape.users - 1));
    this.#userMask = 2 ** bits - 1;
    this.#userShift = bits >>> 1;
    this.#userDigits = Math.max(7, String(shape.users).length);
    this.#userSalt = mix(shape.seed ^ 0x1b873593);
    this.#quoted = threshold16(shape.quoted);
    this.#lineEnd = ascii(lineEnds[shape.lineEnd]);
    this.#time = ascii(new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 19) + 'Z');
  }

  /** A row that was not there before, at `second` of the day. Gives the position after it. */
  row(at: number, second: number, flaw: number): number {
    const quoted = this.#quoted > 0 && flaw === flaws.none && this.#random.next() >>> 16 < this.#quoted;
    const user = this.#user();
    if (quoted) at = this.#byte(at, QUOTE);
    if (flaw !== flaws.noId) at = this.#id(at);
    at = this.#separator(at, quoted);
    if (flaw === flaws.strayQuote) at = this.#byte(at, QUOTE);
    if (flaw !== flaws.noUser) at = this.#userName(at, user);
    if (flaw === flaws.strayQuote) at = this.#byte(this.#byte(at, QUOTE), 120);
    at = this.#timestamp(this.#separator(at, quoted), second);
    at = this.#separator(at, quoted);
    at = flaw === flaws.badAddress ? this.#oneOf(at, badAddresses) : this.#addresses.write(at, user);
    if (flaw === flaws.fieldCount) at = this.#oneOf(at, wrongEnds);
    else at = this.#separator(at, quoted);
    at = flaw === flaws.badValue ? this.#oneOf(at, badValues) : this.#minutes(at);
    if (quoted) at = this.#byte(at, QUOTE);
    return this.#copy(at, this.#lineEnd);
  }

  /** UUID version 4 (RFC 9562, section 5.4). */
  #id(at: number): number {
    const random = this.#random;
    at = this.#hex(at, random.next(), 28, 0);
    this.#bytes[at++] = DASH;
    const middle = (random.next() & ~0xf000) | 0x4000;
    at = this.#hex(at, middle, 28, 16);
    this.#bytes[at++] = DASH;
    at = this.#hex(at, middle, 12, 0);
    this.#bytes[at++] = DASH;
    const variant = (random.next() & 0x3fffffff) | 0x80000000;
    at = this.#hex(at, variant, 28, 16);
    this.#bytes[at++] = DASH;
    at = this.#hex(at, variant, 12, 0);
    return this.#hex(at, random.next(), 28, 0);
  }

  /** The hexadecimal digits of a word from bit `high` down to bit `low`. */
  #hex(at: number, word: number, high: number, low: number): number {
    for (let shift = high; shift >= low; shift -= 4) this.#bytes[at++] = hexDigits[(word >>> shift) & 15]!;
    return at;
  }

  /** 0 to users - 1. Ranks are dealt to numbers by a permutation of the next power of two, walked until it hits a user. */
  #user(): number {
    const u = (this.#random.next() >>> 0) / 4294967296;
    let number = Math.floor(u * u * u * this.#users);
    do {
      number = Math.imul((number + this.#userSalt) & this.#userMask, 0x2c1b3c6d) & this.#userMask;
      number ^= number >>> this.#userShift;
      number = Math.imul(number, 0x297a2d39) & this.#userMask;
      number ^= number >>> this.#userShift;
    } while (number >= this.#users);
    return number;
  }

  #userName(at: number, user: number): number {
    at = this.#copy(at, userPrefix);
    let rest = user + 1;
    for (let digit = at + this.#userDigits - 1; digit >= at; digit--) {
      const tenth = (rest / 10) | 0;
      this.#bytes[digit] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    return at + this.#userDigits;
  }

  #timestamp(at: number, second: number): number {
    if (second !== this.#second) {
      this.#second = second;
      const parts = [(second / 3600) | 0, ((second / 60) | 0) % 60, second % 60];
      parts.forEach((part, i) => {
        this.#time[11 + 3 * i] = ZERO + ((part / 10) | 0);
        this.#time[12 + 3 * i] = ZERO + (part % 10);
      });
    }
    return this.#copy(at, this.#time);
  }

  /** 1 to 240, half of them up to 30. */
  #minutes(at: number): number {
    const u = (this.#random.next() >>> 16) / 65536;
    const minutes = 1 + Math.floor(u * u * u * MAX_MINUTES);
    if (minutes >= 100) this.#bytes[at++] = ZERO + ((minutes / 100) | 0);
    if (minutes >= 10) this.#bytes[at++] = ZERO + (((minutes / 10) | 0) % 10);
    this.#bytes[at++] = ZERO + (minutes % 10);
    return at;
  }

  #separator(at: number, quoted: boolean): number {
    if (quoted) this.#bytes[at++] = QUOTE;
    this.#bytes[at++] = COMMA;
    if (quoted) this.#bytes[at++] = QUOTE;
    return at;
  }

  #oneOf(at: number, texts: readonly Uint8Array[]): number {
    return this.#copy(at, texts[(this.#random.next() >>> 0) % texts.length]!);
  }

  #byte(at: number, byte: number): number {
    this.#bytes[at] = byte;
    return at + 1;
  }

  #copy(at: number, text: Uint8Array): number {
    for (let i = 0; i < text.length; i++) this.#bytes[at++] = text[i]!;
    return at;
  }
}
