/** Rows of partitions for tests: a tiny writer, a model of what they add up to, and a reader of runs. */
import assert from 'node:assert/strict';
import type { SortedRun } from '../../lib/core/stage.ts';
import { RUN_COUNT, RUN_REGION, RUN_SUM_HI, RUN_SUM_LO, RUN_USER, RUN_USER_LEN } from '../../lib/kernels/layout.ts';
import type { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { rowBytesFor, storeRow } from '../../lib/kernels/twins/row.ts';
import { random } from '../random.ts';

export interface Row {
  readonly region: number;
  readonly user: Buffer;
  readonly value: bigint;
}

export interface Total {
  readonly region: number;
  readonly user: Buffer;
  readonly sum: bigint;
  readonly count: bigint;
}

/** Writes rows back to back, unaligned, and a list of their addresses. */
export function writeRows(memory: LinearMemory, rows: readonly Row[]): { ptr: number; count: number; free: () => void } {
  const listBytes = rows.length * 4 + 16;
  const bytes = rows.reduce((sum, row) => sum + rowBytesFor(memory, row), 16);
  const ptr = memory.slab(listBytes, 'test list');
  const start = memory.slab(bytes, 'test rows');
  let at = start + 3;
  const list = memory.u32(ptr, rows.length);
  for (const [i, row] of rows.entries()) {
    list[i] = at;
    storeRow(memory, at, BigInt(i), 0n, row);
    at += rowBytesFor(memory, row);
  }
  const free = (): void => {
    memory.giveSlab(ptr, listBytes);
    memory.giveSlab(start, bytes);
  };
  return { ptr, count: rows.length, free };
}

export type Order = 'region' | 'user';

/** The oracle: a Map and a sort. */
export function addUp(rows: Iterable<Row | Total>, order: Order): Total[] {
  const totals = new Map<string, { region: number; user: Buffer; sum: bigint; count: bigint }>();
  for (const row of rows) {
    const [sum, count] = 'value' in row ? [row.value, 1n] : [row.sum, row.count];
    const key = `${row.region}:${row.user.toString('latin1')}`;
    const total = totals.get(key);
    if (total) {
      total.sum += sum;
      total.count += count;
    } else {
      totals.set(key, { region: row.region, user: row.user, sum, count });
    }
  }
  return [...totals.values()].sort((a, b) => compareKeys(a, b, order));
}

function compareKeys(a: Total, b: Total, order: Order): number {
  return order === 'region' ? a.region - b.region || Buffer.compare(a.user, b.user) : Buffer.compare(a.user, b.user) || a.region - b.region;
}

/** Reads a run to its end through a buffer of `capacity` bytes, and closes it. */
export async function readRun(memory: LinearMemory, run: SortedRun, capacity: number): Promise<Total[]> {
  const buffer = memory.slab(capacity, 'test buffer');
  const totals: Total[] = [];
  for (let bytes; (bytes = await run.fill(buffer, capacity)) > 0; ) {
    const view = memory.view(buffer, bytes);
    for (let at = 0; at < bytes; ) {
      const length = view.getUint32(at + RUN_USER_LEN, true);
      totals.push({
        region: view.getUint32(at + RUN_REGION, true),
        user: Buffer.from(memory.bytes(buffer + at + RUN_USER, length)),
        sum: (view.getBigInt64(at + RUN_SUM_HI, true) << 64n) | view.getBigUint64(at + RUN_SUM_LO, true),
        count: view.getBigUint64(at + RUN_COUNT, true),
      });
      at += RUN_USER + length;
    }
  }
  await run.close();
  memory.giveSlab(buffer, capacity);
  return totals;
}

/** Comparable text of totals. */
export function show(totals: readonly Total[]): string[] {
  return totals.map(({ region, user, sum, count }) => `${region} ${user.toString('latin1')} ${sum} ${count}`);
}

/** Each key once, in order. */
export function assertInOrder(totals: readonly Total[], order: Order): void {
  for (let i = 1; i < totals.length; i++) {
    const [a, b] = [totals[i - 1]!, totals[i]!];
    if (compareKeys(a, b, order) >= 0) assert.fail(`${a.region}, ${a.user} comes before ${b.region}, ${b.user}`);
  }
}

const kinds = ['number', 'bytes', 'nul', 'prefix', 'long'] as const;

/** A user of one of several kinds, from a small world so that they meet again. */
export function randomUser(next: () => number, world = 500): Buffer {
  const n = Math.floor(next() * world);
  switch (kinds[Math.floor(next() ** 2 * kinds.length)]) {
    case 'number': return Buffer.from(`user_${String(n).padStart(6, '0')}`);
    case 'bytes': return Buffer.from(Array.from(String(n), (digit) => Number(digit) * 28));
    case 'nul': return Buffer.alloc(1 + (n % 40));
    case 'prefix': return Buffer.concat([Buffer.alloc(n % 300, 'ab'), Buffer.from(String(n))]);
    default: return n % 10 ? Buffer.alloc(1 + ((n * 17) % 30), n % 256) : Buffer.alloc(1 + ((n * 8191) % 8192), 'x');
  }
}

/** Values around every border: inline, escaped, 64 bits. */
export function randomValue(next: () => number): bigint {
  const edges = [0n, 1n, -1n, 2n ** 18n - 1n, 2n ** 18n, 2n ** 24n - 2n, 2n ** 24n - 1n, 2n ** 31n, 2n ** 63n - 1n, -(2n ** 63n)];
  const edge = edges[Math.floor(next() * edges.length * 2)];
  const value = edge === undefined ? BigInt(Math.floor(next() * 1000)) : edge + BigInt(Math.floor(next() * 5) - 2);
  return BigInt.asIntN(64, value);
}

/** What run-maker.ts adds up. */
export function rowsOfMaker(seed: number): Row[] {
  const next = random(seed);
  return Array.from({ length: 6000 }, () => ({ region: Math.floor(next() * 50), user: randomUser(next, 2000), value: randomValue(next) }));
}
