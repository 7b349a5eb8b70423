/**
 * What nearly all users of a sample begin with: bytes that stored rows need not hold (kernels/layout.ts "A row"). A bad guess
 * makes rows 4 bytes longer, and nothing else.
 *
 * It is the longest beginning that all but a few have in common, without the digits at its end: those are of a number,
 * and where an input is sorted by user, numbers at its start say nothing about the rest.
 */
import { MAX_USER_PREFIX } from '../kernels/layout.ts';

/** Users of the sample that are looked at. */
const MOST_USERS = 1024;
/** One in so many may begin otherwise: a branch that goes now this way, now that, costs more than a byte saved. */
const OTHERS = 32;

export class UserPrefix {
  readonly #begins = new Uint8Array(MOST_USERS * MAX_USER_PREFIX);
  readonly #lengths = new Uint8Array(MOST_USERS);
  #users = 0;

  /** More users are not looked at. */
  get full(): boolean {
    return this.#users === MOST_USERS;
  }

  /** A user of the sample: his bytes, or the most of them. Empty ones are rejected, so they do not count. */
  add(bytes: Uint8Array, from: number, to: number): void {
    const length = Math.min(to - from, MAX_USER_PREFIX);
    if (length <= 0 || this.full) return;
    this.#begins.set(bytes.subarray(from, from + length), this.#users * MAX_USER_PREFIX);
    this.#lengths[this.#users++] = length;
  }

  choose(): Uint8Array {
    const least = this.#users - Math.floor(this.#users / OTHERS);
    const prefix: number[] = [];
    let same = Array.from({ length: this.#users }, (_, user) => user);
    while (prefix.length < MAX_USER_PREFIX) {
      const next = this.#usual(same, prefix.length);
      same = same.filter((user) => this.#byteOf(user, prefix.length) === next);
      if (next === undefined || same.length < least) break;
      prefix.push(next);
    }
    while (isDigit(prefix.at(-1))) prefix.pop();
    return Uint8Array.from(prefix);
  }

  /** The byte that most of these users have there. */
  #usual(users: readonly number[], at: number): number | undefined {
    const counts = new Uint32Array(256);
    for (const user of users) {
      const byte = this.#byteOf(user, at);
      if (byte !== undefined) counts[byte]!++;
    }
    const most = counts.indexOf(Math.max(...counts));
    return counts[most] === 0 ? undefined : most;
  }

  #byteOf(user: number, at: number): number | undefined {
    return at < this.#lengths[user]! ? this.#begins[user * MAX_USER_PREFIX + at] : undefined;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
