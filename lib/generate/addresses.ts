/**
 * Where a user watches from, as text: 97 % from the one home /24 (or IPv6 /64), 0.5 % from a private network, the rest
 * from anywhere. A home is a hash of the user's number and the seed, so there is no table of users.
 */
import { mix, threshold16 } from './random.ts';
import type { RandomWords } from './random.ts';

const PRIVATE = threshold16(0.005);
const AWAY = PRIVATE + threshold16(0.025);

/** First octets that hold no private, shared, loopback, link-local, test, multicast or reserved range. */
const special = new Set([0, 10, 100, 127, 169, 172, 192, 198, 203]);
const publicOctets = Uint8Array.from(Array.from({ length: 224 }, (_, octet) => octet).filter((octet) => !special.has(octet)));

/** First 16 bits of blocks that the five registries hand out to networks (IANA, IPv6 Global Unicast Address Assignments). */
const publicPrefixes = Uint16Array.from([
  0x2003, 0x2400, 0x2401, 0x2402, 0x2404, 0x2405, 0x2406, 0x2408, 0x2409, 0x240e, 0x2600, 0x2601, 0x2602, 0x2603, 0x2604,
  0x2605, 0x2606, 0x2607, 0x2800, 0x2803, 0x2804, 0x2806, 0x2a00, 0x2a01, 0x2a02, 0x2a03, 0x2a04, 0x2a05, 0x2a06, 0x2a09,
  0x2a0d, 0x2c0f,
]);

const DOT = 46;
const COLON = 58;
const ZERO = 48;

export class AddressWriter {
  readonly #bytes: Uint8Array;
  readonly #random: RandomWords;
  readonly #salt: number;
  readonly #ipv6: number;

  constructor(bytes: Uint8Array, random: RandomWords, seed: number, ipv6: number) {
    this.#bytes = bytes;
    this.#random = random;
    this.#salt = mix(seed ^ 0x5bd1e995);
    this.#ipv6 = threshold16(ipv6);
  }

  /** Writes one of the user's addresses; gives the position after it. At most 39 bytes. */
  write(at: number, user: number): number {
    const word = this.#random.next();
    const roll = word >>> 16;
    if (roll < PRIVATE) return this.#private(at, word);
    const place = mix(roll < AWAY ? this.#random.next() : user ^ this.#salt);
    if ((mix(place) >>> 16) < this.#ipv6) return this.#ipv6Address(at, place, word);
    at = this.#octet(at, publicOctets[((place >>> 16) * publicOctets.length) >>> 16]!);
    at = this.#octet(this.#byte(at, DOT), (place >>> 8) & 255);
    at = this.#octet(this.#byte(at, DOT), place & 255);
    return this.#octet(this.#byte(at, DOT), 1 + (((word & 255) * 254) >>> 8));
  }

  #private(at: number, word: number): number {
    const kind = word & 3;
    const [first, second] = kind === 0 ? [192, 168] : kind === 1 ? [172, 16 + ((word >>> 2) & 15)] : [10, (word >>> 2) & 255];
    const host = this.#random.next();
    at = this.#octet(at, first!);
    at = this.#octet(this.#byte(at, DOT), second!);
    at = this.#octet(this.#byte(at, DOT), host & 255);
    return this.#octet(this.#byte(at, DOT), 1 + (((host >>> 8) & 255) * 254 >>> 8));
  }

  /** Half of the homes use a short host number behind `::`, half a random one of 64 bits. */
  #ipv6Address(at: number, place: number, word: number): number {
    const network = mix(place ^ 0x27d4eb2f);
    at = this.#group(at, publicPrefixes[place >>> 27]!);
    at = this.#group(this.#byte(at, COLON), place & 0xffff);
    at = this.#group(this.#byte(at, COLON), network >>> 16);
    at = this.#group(this.#byte(at, COLON), network & 0xffff);
    if ((network & 1) === 0) return this.#group(this.#byte(this.#byte(at, COLON), COLON), 1 + (word & 0xff));
    for (let i = 0; i < 2; i++) {
      const host = this.#random.next();
      at = this.#group(this.#byte(at, COLON), host >>> 16);
      at = this.#group(this.#byte(at, COLON), host & 0xffff);
    }
    return at;
  }

  #octet(at: number, octet: number): number {
    const bytes = this.#bytes;
    if (octet >= 100) bytes[at++] = ZERO + ((octet / 100) | 0);
    if (octet >= 10) bytes[at++] = ZERO + (((octet / 10) | 0) % 10);
    bytes[at++] = ZERO + (octet % 10);
    return at;
  }

  /** 16 bits in hexadecimal, no leading zeros. */
  #group(at: number, group: number): number {
    for (let shift = group >= 0x1000 ? 12 : group >= 0x100 ? 8 : group >= 0x10 ? 4 : 0; shift >= 0; shift -= 4) {
      const digit = (group >>> shift) & 15;
      this.#bytes[at++] = digit < 10 ? ZERO + digit : 87 + digit;
    }
    return at;
  }

  #byte(at: number, byte: number): number {
    this.#bytes[at] = byte;
    return at + 1;
  }
}
