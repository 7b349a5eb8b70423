/** A kernel's store area for tests: literal numbers, by the drawing in kernels/partition-layout.ts. */
import type { LinearMemory } from '../../lib/kernels/linear-memory.ts';

export const STORE_BYTES = 6208 + 16 * 1024;

export interface StoreHead {
  readonly bits: number;
  readonly shift: number;
  readonly word?: number;
  readonly maxPages?: number;
}

export function newStore(memory: LinearMemory, { bits, shift, word = 0, maxPages = 2 ** 32 - 1 }: StoreHead): number {
  const store = memory.slab(STORE_BYTES, 'test store');
  memory.bytes(store, STORE_BYTES).fill(0);
  memory.u32(store, 5).set([2 ** bits, shift, word, 0, maxPages]);
  return store;
}
