/** Runs for tests of the merge, made of plain objects, and a reader of what it gives. */
import type { Readable } from 'node:stream';
import type { ResultBatch, SortedRun } from '../../lib/core/stage.ts';
import {
  RUN_COUNT, RUN_REGION, RUN_SUM_HI, RUN_SUM_LO, RUN_USER, RUN_USER_LEN,
} from '../../lib/kernels/layout.ts';
import type { LinearMemory } from '../../lib/kernels/linear-memory.ts';

export interface RunRow {
  readonly region: number;
  readonly user: Buffer;
  readonly sum: bigint;
  readonly count: bigint;
}

export function encodeRow({ region, user, sum, count }: RunRow): Buffer {
  const bytes = Buffer.alloc(RUN_USER + user.length);
  bytes.writeUInt32LE(region, RUN_REGION);
  bytes.writeUInt32LE(user.length, RUN_USER_LEN);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, sum), RUN_SUM_LO);
  bytes.writeBigInt64LE(BigInt.asIntN(64, sum >> 64n), RUN_SUM_HI);
  bytes.writeBigUInt64LE(count, RUN_COUNT);
  user.copy(bytes, RUN_USER);
  return bytes;
}

export interface TestRun extends SortedRun {
  closed: number;
  fills: number;
}

/** A run of rows that are in order; at most `rowsAtOnce` of them a fill, in a promise when `later`. */
export function runOf(memory: LinearMemory, rows: readonly RunRow[], rowsAtOnce = Infinity, later = false): TestRun {
  const encoded = rows.map(encodeRow);
  let next = 0;
  return {
    rows: rows.length,
    closed: 0,
    fills: 0,
    fill(ptr, capacity) {
      let bytes = 0;
      this.fills++;
      for (let taken = 0; next < encoded.length && taken < rowsAtOnce && bytes + encoded[next]!.length <= capacity; taken++) {
        memory.bytes(ptr + bytes, encoded[next]!.length).set(encoded[next]!);
        bytes += encoded[next++]!.length;
      }
      return later ? new Promise((resolve) => setImmediate(resolve, bytes)) : bytes;
    },
    async close() {
      this.closed++;
    },
  };
}

/** One batch, copied. */
export interface Group {
  readonly region: string | undefined;
  readonly users: string[];
  readonly totals: bigint[];
  readonly counts: bigint[];
  readonly tops: readonly string[] | undefined;
}

export function copyBatch({ region, rows, userOffsets, userBytes, totals, counts, topRegions }: ResultBatch): Group {
  const users = Array.from({ length: rows }, (_, i) =>
    Buffer.from(userBytes.subarray(userOffsets[i], userOffsets[i + 1])).toString('hex'));
  const tops = topRegions && Array.from(topRegions.numbers, (number) => topRegions.names[number]!);
  return { region, users, totals: [...totals], counts: [...counts], tops };
}

export async function readGroups(merged: Readable): Promise<Group[]> {
  const groups: Group[] = [];
  for await (const batch of merged as AsyncIterable<ResultBatch>) {
    groups.push(copyBatch(batch));
    batch.release();
  }
  return groups;
}
