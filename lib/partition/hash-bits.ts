/**
 * Which bits of an id's 128-bit hash choose the partition. A store takes the top bits of idLo; rows that are put off go
 * by the bits below, SPLIT_BITS a level, then by those of idHi:
 *
 *   idLo  [main store][level 1][level 2] ...   idHi  [level n] ... [last]
 */
import { EtlError } from '../core/errors.ts';
import type { HashRange } from '../core/stage.ts';
import { ROW_ID_HI, ROW_ID_LO } from '../kernels/layout.ts';
import { MAX_PARTITION_BITS } from '../kernels/partition-layout.ts';

export interface HashBits {
  readonly word: typeof ROW_ID_LO | typeof ROW_ID_HI;
  /** partition = word >>> shift, the last `bits` bits of it. */
  readonly shift: number;
  readonly bits: number;
}

/** One level of rows that are put off: 64 parts. */
export const SPLIT_BITS = 6;

/** The first `bits` bits. */
export function topBits(bits: number): HashBits {
  if (!Number.isInteger(bits) || bits < 0 || bits > MAX_PARTITION_BITS) {
    throw new EtlError('ETL_INTERNAL', `A partition store cannot have 2^${bits} partitions.`);
  }
  return { word: ROW_ID_LO, shift: 64 - bits, bits };
}

const WORD: readonly [bigint, bigint] = [0n, 2n ** 64n - 1n];
export const ALL_HASHES: HashRange = { lo: WORD, hi: WORD };

/** Of the ids in `range`, those of one partition by these bits, which follow on what all of `range` agree in. */
export function rangeOf({ word, shift }: HashBits, partition: number, range: HashRange): HashRange {
  const half = word === ROW_ID_LO ? 'lo' : 'hi';
  const from = range[half][0] + (BigInt(partition) << BigInt(shift));
  return { ...range, [half]: [from, from + (1n << BigInt(shift)) - 1n] };
}

/** Those that follow. Throws ETL_INTERNAL when there are none: rows that agree in all have one id, and fit any table. */
export function bitsAfter({ word, shift }: HashBits): HashBits {
  if (shift > 0) {
    const bits = Math.min(SPLIT_BITS, shift);
    return { word, shift: shift - bits, bits };
  }
  if (word === ROW_ID_LO) return { word: ROW_ID_HI, shift: 64 - SPLIT_BITS, bits: SPLIT_BITS };
  throw new EtlError('ETL_INTERNAL', 'Rows were put off although all of them have the same id.');
}
