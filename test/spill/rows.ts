/** Rows in run format for tests. */
import { RUN_COUNT, RUN_REGION, RUN_SUM_HI, RUN_SUM_LO, RUN_USER, RUN_USER_LEN } from '../../lib/kernels/layout.ts';

export function runRow(region: number, user: Uint8Array, sum: bigint, count: bigint): Buffer {
  const row = Buffer.alloc(RUN_USER + user.length);
  row.writeUInt32LE(region, RUN_REGION);
  row.writeUInt32LE(user.length, RUN_USER_LEN);
  row.writeBigUInt64LE(BigInt.asUintN(64, sum), RUN_SUM_LO);
  row.writeBigInt64LE(BigInt.asIntN(64, sum >> 64n), RUN_SUM_HI);
  row.writeBigUInt64LE(BigInt.asUintN(64, count), RUN_COUNT);
  row.set(user, RUN_USER);
  return row;
}

/** Neighbours that share nothing, something or all of their users; numbers around every border of their codes. */
export function randomRunRow(next: () => number, before: Uint8Array): Buffer {
  const whole = (below: number): number => Math.floor(next() * below);
  const lengths = [0, 1, 7, 8, 15, 16, 17, 31, 32, 36, 254, 255, 256, 511, 8191, 8192];
  const length = next() < 0.9 ? whole(24) : lengths[whole(next() < 0.8 ? 10 : lengths.length)]!;
  const shared = next() < 0.5 ? Math.min(before.length, length) : whole(Math.min(before.length, length) + 1);
  const user = Buffer.alloc(length, whole(256));
  user.set(before.subarray(0, shared));
  const sign = next() < 0.5 ? 1n : -1n;
  const wide = next() < 0.1;
  const sum = sign * (1n << BigInt(whole(wide ? 127 : 64))) + BigInt(whole(3) - 1);
  const count = (1n << BigInt(next() < 0.8 ? whole(8) : whole(64))) - BigInt(whole(2));
  const region = next() < 0.8 ? 7 : whole(next() < 0.5 ? 250 : 2 ** 32);
  return runRow(region, user, sum, count);
}

/** Rows whose bytes are at least `bytes`. */
export function randomRunRows(next: () => number, bytes: number): Buffer[] {
  const rows: Buffer[] = [];
  for (let size = 0; size < bytes; size += rows.at(-1)!.length) rows.push(randomRunRow(next, rows.at(-1)?.subarray(RUN_USER) ?? Buffer.alloc(0)));
  return rows;
}
