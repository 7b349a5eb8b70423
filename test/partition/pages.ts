/**
 * An independent reader and writer of partition pages, for tests of both sides. Follows the drawing in kernels/layout.ts
 * with literal numbers, and throws on anything that the drawing does not allow.
 */
import assert from 'node:assert/strict';
import type { LinearMemory } from '../../lib/kernels/linear-memory.ts';

export interface Row {
  readonly lo: bigint;
  readonly hi: bigint;
  readonly region: number;
  readonly value: bigint;
  readonly user: Uint8Array;
}

export interface StoredRow extends Row {
  readonly at: number;
  readonly input: number;
  readonly block: number;
}

export interface Chain {
  readonly rows: StoredRow[];
  readonly pages: number[];
  /** Rows of each segment. */
  readonly segments: number[];
}

const PAGE = 16384;
const WIDE = 63n;
const ESCAPED = 2n ** 24n - 1n;

export function readChain(memory: LinearMemory, first: number): Chain {
  const chain: Chain = { rows: [], pages: [], segments: [] };
  for (let page = first; page !== 0; ) {
    assert.ok(page % PAGE === 0, 'a page is aligned');
    chain.pages.push(page);
    const used = memory.view(page, 8).getUint32(4, true);
    assert.ok(used > 8 && used <= PAGE, `a page uses ${used} bytes`);
    for (let at = page + 8; at < page + used; ) {
      const { rows, end } = readSegment(memory, at);
      assert.ok(end <= page + used, 'a segment lies inside the page');
      chain.rows.push(...rows);
      chain.segments.push(rows.length);
      at = end;
    }
    page = memory.view(page, 8).getUint32(0, true);
  }
  return chain;
}

/** The rows of the segments whose addresses stand at `ptr`. */
export function readList(memory: LinearMemory, ptr: number, count: number): StoredRow[] {
  return [...memory.u32(ptr, count)].flatMap((at) => readSegment(memory, at).rows);
}

function readSegment(memory: LinearMemory, segment: number): { rows: StoredRow[]; end: number } {
  const header = memory.view(segment, 8).getBigUint64(0, true);
  const bytes = Number(header & 0xffffn);
  assert.ok(bytes > 0, 'a segment has rows');
  const rows: StoredRow[] = [];
  const view = memory.view(segment, 8 + bytes);
  let at = 8;
  while (at < 8 + bytes) {
    const { fixed, region, value, length } = readHead(view, at);
    const stored = memory.bytes(segment + at + fixed, length);
    const user = fixed === 20 ? Buffer.concat([prefixOf(memory), stored]) : stored.slice();
    assert.equal(fixed, fixedBytes(memory, region, value, user), `${region}, ${value}, ${user.length}: the shortest form is taken`);
    assert.ok(at + fixed + length <= 8 + bytes, 'a row lies inside the segment');
    rows.push({
      at: segment + at,
      lo: view.getBigUint64(at, true),
      hi: view.getBigUint64(at + 8, true),
      region,
      value,
      user: Uint8Array.from(user),
      block: Number((header >> 16n) & 0xffffffn),
      input: Number(header >> 40n),
    });
    at += fixed + length;
  }
  return { rows, end: segment + at };
}

/** What users of compact rows begin with. */
function prefixOf(memory: LinearMemory): Uint8Array {
  return memory.bytes(528, memory.view(512, 4).getUint32(0, true));
}

/** What stands behind the id of the row at `row`; `length` is of what is stored of the user. */
export function readHead(view: DataView, row: number): { fixed: number; region: number; value: bigint; length: number } {
  const head = BigInt(view.getUint32(row + 16, true));
  if ((head & 63n) < WIDE) {
    return { fixed: 20, length: Number(head & 63n), region: Number((head >> 6n) & 0xffn), value: head >> 14n };
  }
  const wide = view.getBigUint64(row + 16, true);
  const small = wide >> 40n;
  return {
    fixed: small === ESCAPED ? 32 : 24,
    length: Number((wide >> 6n) & 0x3fffn),
    region: Number((wide >> 20n) & 0xfffffn),
    value: small === ESCAPED ? view.getBigInt64(row + 24, true) : small,
  };
}

/** Bytes before what is stored of the user. */
function fixedBytes(memory: LinearMemory, region: number, value: bigint, user: Uint8Array): number {
  const prefix = prefixOf(memory);
  const rest = user.length - prefix.length;
  if (Buffer.from(user).subarray(0, prefix.length).equals(prefix) && rest <= 62 && region <= 255 && value >= 0n && value < 2n ** 18n) return 20;
  return value >= 0n && value < ESCAPED ? 24 : 32;
}

/**
 * Writes a chain, for an empty prefix: `cut` tells after which rows a segment ends, `turn` after which ones a page ends early. Gives the addresses
 * of its rows and of its segments.
 */
export function writeChain(
  memory: LinearMemory,
  rows: readonly Row[],
  cut: (row: number) => boolean = () => false,
  turn: (row: number) => boolean = () => false,
): { first: number; addresses: number[]; segments: number[] } {
  const addresses: number[] = [];
  const segments: number[] = [];
  let first = 0;
  let view: DataView | undefined;
  let at = 0;
  let segment = -1;
  rows.forEach((row, i) => {
    const fixed = fixedBytes(memory, row.region, row.value, row.user);
    const needs = fixed + row.user.length + (segment < 0 ? 8 : 0);
    if (!view || at + needs > PAGE || (i > 0 && turn(i - 1))) {
      const page = memory.takePage();
      if (view) view.setUint32(0, page, true);
      else first = page;
      view = memory.view(page, PAGE);
      view.setUint32(0, 0, true);
      at = 8;
      segment = -1;
    }
    if (segment < 0) {
      segment = at;
      segments.push(view.byteOffset + at);
      view.setBigUint64(at, 0n, true);
      at += 8;
    }
    view.setUint16(segment, view.getUint16(segment, true) + fixed + row.user.length, true);
    addresses.push(view.byteOffset + at);
    view.setBigUint64(at, row.lo, true);
    view.setBigUint64(at + 8, row.hi, true);
    const length = BigInt(row.user.length);
    if (fixed === 20) {
      view.setUint32(at + 16, Number(length | (BigInt(row.region) << 6n) | (row.value << 14n)), true);
    } else {
      const small = fixed === 32 ? ESCAPED : row.value;
      view.setBigUint64(at + 16, WIDE | (length << 6n) | (BigInt(row.region) << 20n) | (small << 40n), true);
      if (fixed === 32) view.setBigInt64(at + 24, row.value, true);
    }
    memory.bytes(view.byteOffset + at + fixed, row.user.length).set(row.user);
    at += fixed + row.user.length;
    view.setUint32(4, at, true);
    if (cut(i)) segment = -1;
  });
  return { first, addresses, segments };
}
