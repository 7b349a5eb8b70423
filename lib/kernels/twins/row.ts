/** A stored row: what the twins know of its fields. Layout: layout.ts "A row". */
import {
  HEAD_REGION_MASK, HEAD_REGION_SHIFT, HEAD_VALUE_SHIFT, ROW_FIXED, ROW_HEAD, ROW_ID_HI, ROW_ID_LO, VALUE_BIAS, VALUE_ESCAPE,
} from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';

export interface RowFields {
  readonly region: number;
  readonly value: bigint;
  /** The user's bytes, where they are. */
  readonly user: Uint8Array;
}

/** All but the id. The 16 bytes of the id at `row` are not looked at. */
export function readFields(memory: LinearMemory, row: number): RowFields {
  const head = memory.view(row + ROW_HEAD, 8).getBigUint64(0, true);
  const small = Number(head >> BigInt(HEAD_VALUE_SHIFT));
  const escaped = small === VALUE_ESCAPE;
  const value = escaped ? memory.view(row + ROW_FIXED, 8).getBigInt64(0, true) : BigInt(small - VALUE_BIAS);
  const region = Number(head >> BigInt(HEAD_REGION_SHIFT)) & HEAD_REGION_MASK;
  return { region, value, user: memory.bytes(row + ROW_FIXED + (escaped ? 8 : 0), Number(head & 0xffffn)) };
}

export function readId(memory: LinearMemory, row: number): [lo: bigint, hi: bigint] {
  const id = memory.view(row, ROW_HEAD);
  return [id.getBigUint64(ROW_ID_LO, true), id.getBigUint64(ROW_ID_HI, true)];
}

/** Bytes of the whole row at `row`. */
export function rowBytes(memory: LinearMemory, row: number): number {
  const { user } = readFields(memory, row);
  return user.byteOffset + user.length - row;
}

/** Bytes that a row of these fields takes. */
export function rowBytesFor({ value, user }: RowFields): number {
  return (isSmall(value) ? ROW_FIXED : ROW_FIXED + 8) + user.length;
}

/** Writes a whole row; `user` may lie anywhere. */
export function storeRow(memory: LinearMemory, row: number, lo: bigint, hi: bigint, fields: RowFields): void {
  const { region, value, user } = fields;
  const small = isSmall(value) ? value + BigInt(VALUE_BIAS) : BigInt(VALUE_ESCAPE);
  const bytes = rowBytesFor(fields);
  const view = memory.view(row, bytes);
  view.setBigUint64(ROW_ID_LO, lo, true);
  view.setBigUint64(ROW_ID_HI, hi, true);
  view.setBigUint64(
    ROW_HEAD, BigInt(user.length) | (BigInt(region) << BigInt(HEAD_REGION_SHIFT)) | (small << BigInt(HEAD_VALUE_SHIFT)), true,
  );
  if (!isSmall(value)) view.setBigInt64(ROW_FIXED, value, true);
  memory.bytes(row + bytes - user.length, user.length).set(user);
}

function isSmall(value: bigint): boolean {
  return value >= -VALUE_BIAS && value < VALUE_BIAS - 1;
}
