/** A stored row: what the twins know of its fields. Layout: layout.ts "A row". */
import {
  HEAD_LENGTH_MASK, HEAD_REGION_MASK, HEAD_REGION_SHIFT, HEAD_VALUE_BITS, HEAD_VALUE_SHIFT, HEAD_WIDE, ROW_FIXED, ROW_HEAD,
  ROW_ID_HI, ROW_ID_LO, ROW_KEY_PLAIN, ROW_KEY_REGION_SHIFT, ROW_WIDE_FIXED, WIDE_ESCAPE, WIDE_LENGTH_MASK, WIDE_LENGTH_SHIFT, WIDE_REGION_MASK, WIDE_REGION_SHIFT,
  WIDE_VALUE_SHIFT,
} from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import { beginsWithPrefix, userPrefix } from '../user-prefix.ts';

export interface RowFields {
  readonly region: number;
  readonly value: bigint;
  /** All of the user's bytes. */
  readonly user: Uint8Array;
}

/** All but the id. The 16 bytes of the id at `row` are not looked at. */
export function readFields(memory: LinearMemory, row: number): RowFields {
  const head = memory.view(row + ROW_HEAD, 4).getUint32(0, true);
  if ((head & HEAD_LENGTH_MASK) !== HEAD_WIDE) {
    return {
      region: (head >>> HEAD_REGION_SHIFT) & HEAD_REGION_MASK,
      value: BigInt(head >>> HEAD_VALUE_SHIFT),
      user: Buffer.concat([userPrefix(memory), memory.bytes(row + ROW_FIXED, head & HEAD_LENGTH_MASK)]),
    };
  }
  const wide = memory.view(row + ROW_HEAD, 8).getBigUint64(0, true);
  const small = wide >> BigInt(WIDE_VALUE_SHIFT);
  const escaped = small === BigInt(WIDE_ESCAPE);
  return {
    region: bits(wide, WIDE_REGION_SHIFT, WIDE_REGION_MASK),
    value: escaped ? memory.view(row + ROW_WIDE_FIXED, 8).getBigInt64(0, true) : small,
    user: memory.bytes(row + ROW_WIDE_FIXED + (escaped ? 8 : 0), bits(wide, WIDE_LENGTH_SHIFT, WIDE_LENGTH_MASK)),
  };
}

export function readId(memory: LinearMemory, row: number): [lo: bigint, hi: bigint] {
  const id = memory.view(row, ROW_HEAD);
  return [id.getBigUint64(ROW_ID_LO, true), id.getBigUint64(ROW_ID_HI, true)];
}

/** What tells users of a region apart, whatever the forms of their rows. See layout.ts. */
export function identityOf(memory: LinearMemory, { region, user }: RowFields): { readonly key: bigint; readonly rest: Uint8Array } {
  const begins = beginsWithPrefix(memory, user);
  const rest = begins ? user.subarray(userPrefix(memory).length) : user;
  return { key: (BigInt(region) << BigInt(ROW_KEY_REGION_SHIFT)) | BigInt(rest.length | (begins ? 0 : ROW_KEY_PLAIN)), rest };
}

/** Bytes of the whole row at `row`. */
export function rowBytes(memory: LinearMemory, row: number): number {
  return rowBytesFor(memory, readFields(memory, row));
}

/** Bytes that a row of these fields takes. */
export function rowBytesFor(memory: LinearMemory, fields: RowFields): number {
  const { value, user } = fields;
  if (isCompact(memory, fields)) return ROW_FIXED + user.length - userPrefix(memory).length;
  return ROW_WIDE_FIXED + (isEscaped(value) ? 8 : 0) + user.length;
}

/** Writes a whole row; `user` may lie anywhere. */
export function storeRow(memory: LinearMemory, row: number, lo: bigint, hi: bigint, fields: RowFields): void {
  const { region, value, user } = fields;
  const bytes = rowBytesFor(memory, fields);
  const view = memory.view(row, bytes);
  view.setBigUint64(ROW_ID_LO, lo, true);
  view.setBigUint64(ROW_ID_HI, hi, true);
  const compact = isCompact(memory, fields);
  const stored = compact ? user.subarray(userPrefix(memory).length) : user;
  if (compact) {
    view.setUint32(ROW_HEAD, stored.length | (region << HEAD_REGION_SHIFT) | (Number(value) << HEAD_VALUE_SHIFT), true);
  } else {
    const small = isEscaped(value) ? BigInt(WIDE_ESCAPE) : value;
    const length = BigInt(user.length) << BigInt(WIDE_LENGTH_SHIFT);
    const head = BigInt(HEAD_WIDE) | length | (BigInt(region) << BigInt(WIDE_REGION_SHIFT)) | (small << BigInt(WIDE_VALUE_SHIFT));
    view.setBigUint64(ROW_HEAD, head, true);
    if (isEscaped(value)) view.setBigInt64(ROW_WIDE_FIXED, value, true);
  }
  memory.bytes(row + bytes - stored.length, stored.length).set(stored);
}

function bits(word: bigint, shift: number, mask: number): number {
  return Number((word >> BigInt(shift)) & BigInt(mask));
}

function isCompact(memory: LinearMemory, { region, value, user }: RowFields): boolean {
  const rest = user.length - userPrefix(memory).length;
  return rest < HEAD_WIDE && region <= HEAD_REGION_MASK && value >= 0n && value < 1n << BigInt(HEAD_VALUE_BITS) && beginsWithPrefix(memory, user);
}

function isEscaped(value: bigint): boolean {
  return value < 0n || value >= BigInt(WIDE_ESCAPE);
}
