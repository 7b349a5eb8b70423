/** Result batches as the merge makes them, from plain rows: views of shared memory, longer than the batch needs. */
import type { RegionColumn, ResultBatch } from '../../lib/core/stage.ts';
import { random } from '../random.ts';

export interface Row {
  readonly region: string;
  readonly user: Uint8Array;
  readonly total: bigint;
  readonly count: bigint;
}

export interface TestBatch extends ResultBatch {
  /** How often release() was called. */
  released: number;
}

/** `rows` all of one region, unless grouping by user: then their regions are the top regions. */
export function resultBatch(rows: readonly Row[], groupBy: 'region' | 'user' = 'region'): TestBatch {
  const bytes = rows.reduce((sum, row) => sum + row.user.length, 0);
  const userOffsets = new Int32Array(new SharedArrayBuffer(4 * (rows.length + 3))).fill(-1);
  const userBytes = new Uint8Array(new SharedArrayBuffer(bytes + 5)).fill(0xff);
  const totals = new BigInt64Array(new SharedArrayBuffer(8 * (rows.length + 1))).fill(-1n);
  const counts = new BigInt64Array(new SharedArrayBuffer(8 * (rows.length + 1))).fill(-1n);
  let at = 0;
  rows.forEach((row, i) => {
    userOffsets[i] = at;
    userBytes.set(row.user, at);
    at += row.user.length;
    totals[i] = row.total;
    counts[i] = row.count;
  });
  userOffsets[rows.length] = at;
  return {
    region: groupBy === 'region' ? rows[0]?.region ?? 'none' : undefined,
    rows: rows.length, userOffsets, userBytes, totals, counts,
    topRegions: groupBy === 'user' ? topRegionsOf(rows) : undefined,
    released: 0,
    release() {
      // Whoever reads after this reads garbage.
      this.released++;
      userOffsets.fill(-1);
      userBytes.fill(0xee);
      totals.fill(-7n);
      counts.fill(-7n);
    },
  };
}

function topRegionsOf(rows: readonly Row[]): RegionColumn {
  const names = [...new Set(rows.map((row) => row.region))];
  return { names, numbers: Uint32Array.from(rows, (row) => names.indexOf(row.region)) };
}

export const user = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Ids of every kind that is UTF-8: plain, empty, binary-like, all planes of Unicode, up to 8192 bytes. */
export function randomRows(seed: number, rows: number, region: string, limit = 2n ** 63n): Row[] {
  const next = random(seed);
  const pick = (below: number): number => Math.floor(next() * below);
  const kinds = [
    () => `user_${String(pick(1e8)).padStart(8, '0')}`,
    () => Array.from({ length: pick(6) }, () => String.fromCharCode(pick(32))).join(''),
    () => String.fromCodePoint(...Array.from({ length: pick(9) }, () => [pick(0xd800), 0xe000 + pick(0x2000), 0x10000 + pick(0x100000)][pick(3)]!)),
    () => ['', '\0', '\ufeff', '"', '\ufffd', 'a,b\r\n', '\u{10ffff}', `${'x'.repeat(70)}ß${pick(99)}`, `${'ä'.repeat(pick(300))}`][pick(9)]!,
    () => (pick(40) === 0 ? String(pick(10)).repeat(8192) : `u${pick(1e6)}`),
  ];
  const users = new Map<string, Uint8Array>();
  while (users.size < rows) {
    const bytes = user(kinds[pick(kinds.length)]!());
    users.set(Buffer.from(bytes).toString('latin1'), bytes);
  }
  const integer = (): bigint => {
    const kind = pick(20);
    if (kind === 0) return -limit;
    if (kind === 1) return limit - 1n;
    if (kind === 2) return BigInt.asIntN(64, BigInt(pick(2 ** 32)) * BigInt(pick(2 ** 32))) % limit;
    return BigInt(Math.floor(10 ** (next() * 7)) - 5);
  };
  return [...users.values()]
    .sort(Buffer.compare)
    .map((user) => ({ region, user, total: integer(), count: BigInt(1 + pick(1000)) }));
}
