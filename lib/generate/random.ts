/**
 * Random 32-bit words, the same on every machine: xoshiro128** 1.1 by Blackman and Vigna (public domain,
 * https://prng.di.unimi.it/xoshiro128starstar.c), drawn ahead in batches so that its state stays in registers.
 */

const BATCH_WORDS = 4096;

export class RandomWords {
  readonly #words = new Int32Array(BATCH_WORDS);
  readonly #state = new Int32Array(4);
  #at = BATCH_WORDS;

  /** Streams of different (seed, stream) are unrelated. */
  constructor(seed: number, stream: number) {
    for (let i = 0; i < 4; i++) this.#state[i] = mix(mix(seed + Math.imul(i, 0x9e3779b9)) ^ mix(stream + 0x632be5ab));
    this.#state[3]! |= 1; // the one forbidden state is all zeros
  }

  /** The next word, signed. */
  next(): number {
    if (this.#at === BATCH_WORDS) this.#draw();
    return this.#words[this.#at++]!;
  }

  #draw(): void {
    const words = this.#words;
    let [a, b, c, d] = this.#state as unknown as [number, number, number, number];
    for (let i = 0; i < BATCH_WORDS; i++) {
      const product = Math.imul(b, 5);
      words[i] = Math.imul((product << 7) | (product >>> 25), 9);
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
    }
    this.#state.set([a, b, c, d]);
    this.#at = 0;
  }
}

/** A bijection of 32-bit words that spreads every bit: the finalizer of MurmurHash3 (Appleby, public domain). */
export function mix(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}

/** A share of 0 to 1 as the threshold below which a 16-bit number falls. */
export function threshold16(share: number): number {
  return Math.round(share * 65536);
}
