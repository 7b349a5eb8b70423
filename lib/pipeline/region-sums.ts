/**
 * What the rows of a dataset add up to, region by region: those that were published, and those of the totals that they were
 * made of, have the same sums. A sum of hashes tells rows of other users, or of other values, that add up to the same.
 */
import type { XXHashAPI } from 'xxhash-wasm';
import xxhash from 'xxhash-wasm';

/** An odd number: what a total does to a hash. */
const TOTAL_FACTOR = 0x9e3779b97f4a7c15n;

export interface RegionSum {
  rows: number;
  /** Logs that were counted. */
  logs: bigint;
  /** Watch time, in units of the last decimal place. */
  total: bigint;
  /** Of all rows, in any order: 64 bits. */
  hash: bigint;
}

export class RegionSums {
  readonly #hash: XXHashAPI;
  readonly #sums = new Map<string, RegionSum>();

  private constructor(hash: XXHashAPI) {
    this.#hash = hash;
  }

  static async load(): Promise<RegionSums> {
    return new RegionSums(await xxhash());
  }

  /** Adds a row. The bytes are not kept. */
  add(region: string, user: Uint8Array, total: bigint, logs: bigint): void {
    let sum = this.#sums.get(region);
    if (!sum) this.#sums.set(region, (sum = { rows: 0, logs: 0n, total: 0n, hash: 0n }));
    sum.rows++;
    sum.logs += logs;
    sum.total += total;
    sum.hash = BigInt.asUintN(64, sum.hash + this.#hash.h64Raw(user, BigInt.asUintN(64, total * TOTAL_FACTOR + logs)));
  }

  get regions(): string[] {
    return [...this.#sums.keys()];
  }

  /** Zeros for one that no row is of. */
  of(region: string): Readonly<RegionSum> {
    return this.#sums.get(region) ?? { rows: 0, logs: 0n, total: 0n, hash: 0n };
  }
}

/** How what was published of a region differs from what it should be, as a sentence; undefined when it does not. */
export function difference(region: string, found: Readonly<RegionSum>, expected: Readonly<RegionSum>): string | undefined {
  const name = JSON.stringify(region);
  const parts = ([['rows', 'rows'], ['logs', 'logs'], ['total', 'of watch time, in units of its last decimal place']] as const)
    .filter(([field]) => found[field] !== expected[field])
    .map(([field, what]) => `${found[field]} ${what}, and should have ${expected[field]}`);
  if (parts.length > 0) return `The region ${name} has ${parts.join('; ')}.`;
  return found.hash === expected.hash ? undefined : `The region ${name} adds up to what it should, but not user by user.`;
}
