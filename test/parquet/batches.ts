/** Result batches as the merge makes them, from plain rows: views of shared memory, longer than the batch needs. */
import type { ResultBatch } from '../../lib/core/stage.ts';
import type { LinearMemory } from '../../lib/kernels/linear-memory.ts';
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

export interface BatchOptions {
  readonly groupBy?: 'region' | 'user';
  /** Where the columns are to be; default: a buffer of their own. */
  readonly memory?: LinearMemory;
  /** Names of all regions; default: of those in `rows`. */
  readonly names?: readonly string[];
  /** Bytes that the area has besides the columns. Default 5. */
  readonly room?: number;
}

/** `rows` all of one region, unless grouping by user: then their regions are the top regions. */
export function resultBatch(rows: readonly Row[], { groupBy = 'region', memory, names, room = 5 }: BatchOptions = {}): TestBatch {
  const bytes = rows.reduce((sum, row) => sum + row.user.length, 0);
  const size = rows.length * 24 + 4 + bytes + room;
  const at = memory?.slab(size, 'a test batch') ?? 0;
  const buffer = memory?.memory.buffer ?? new SharedArrayBuffer(size);
  const area = new Uint8Array(buffer, at, size).fill(0xff);
  const totals = new BigInt64Array(buffer, at, rows.length);
  const counts = new BigInt64Array(buffer, at + rows.length * 8, rows.length);
  const userOffsets = new Int32Array(buffer, at + rows.length * 16, rows.length + 1);
  const numbers = new Uint32Array(buffer, at + rows.length * 20 + 4, rows.length);
  const userBytes = new Uint8Array(buffer, at + rows.length * 24 + 4, bytes + Math.min(room, 5));
  const regions = names ?? [...new Set(rows.map((row) => row.region))];
  let end = 0;
  rows.forEach((row, i) => {
    userOffsets[i] = end;
    userBytes.set(row.user, end);
    end += row.user.length;
    totals[i] = row.total;
    counts[i] = row.count;
    numbers[i] = regions.indexOf(row.region);
  });
  userOffsets[rows.length] = end;
  return {
    region: groupBy === 'region' ? rows[0]?.region ?? 'none' : undefined,
    rows: rows.length, userOffsets, userBytes, totals, counts, area,
    topRegions: groupBy === 'user' ? { names: regions, numbers } : undefined,
    released: 0,
    release() {
      this.released++;
      area.fill(0xee); // whoever reads after this reads garbage
      memory?.giveSlab(at, size);
    },
  };
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
