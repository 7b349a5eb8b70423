/**
 * The spill kernel's contract, and its twin: sorted rows to blocks of a run file and back. Format: ../spill-layout.ts.
 * What the two pack is equal byte for byte.
 */
import { MAX_USER_BYTES, RUN_COUNT, RUN_REGION, RUN_SUM_HI, RUN_SUM_LO, RUN_USER, RUN_USER_LEN } from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import {
  BLOCK_CHECKSUM, BLOCK_HEADER, BLOCK_MOST, BLOCK_PACKED, BLOCK_RAW, BLOCK_ROWS, BLOCK_SLACK, CURSOR_AT, CURSOR_BYTES, CURSOR_END,
  CURSOR_NUMBER, DAMAGED, LENGTH_ESCAPE, PACKED_MOST, RUN_BLOCK_BYTES, SUM_WIDE,
} from '../spill-layout.ts';
import { xxh64 } from './xxh64.ts';

export interface SpillKernel {
  /**
   * Packs the whole rows among `bytes` bytes at `from` into blocks, from the cursor's `at` on, while there is room for the
   * largest block before its `end`. Gives the bytes of the rows that were packed.
   */
  packRows(cursor: number, from: number, bytes: number): number;
  /**
   * Unpacks blocks between the cursor's `at` and `end` to `to`, whole ones, as many as are there and fit `capacity`.
   * BLOCK_SLACK bytes behind `end` are readable. Gives the bytes of the rows: 0 when the next block is not all there
   * (or does not fit), DAMAGED (or -1) when it is not what was written.
   */
  unpackBlocks(cursor: number, to: number, capacity: number): number;
}

export function createSpillTwin(memory: LinearMemory): SpillKernel {
  function open(cursor: number) {
    const view = memory.view(cursor, CURSOR_BYTES);
    const seed = (): bigint => view.getBigUint64(CURSOR_NUMBER, true); // the salt stands behind the number
    return { view, seed, at: view.getUint32(CURSOR_AT, true), end: view.getUint32(CURSOR_END, true) };
  }

  function advance(view: DataView, at: number): void {
    view.setUint32(CURSOR_AT, at, true);
    view.setUint32(CURSOR_NUMBER, view.getUint32(CURSOR_NUMBER, true) + 1, true);
  }

  return {
    packRows(cursor, from, bytes) {
      const state = open(cursor);
      let done = 0;
      while (state.end - state.at >= BLOCK_MOST + BLOCK_SLACK) {
        const { block, raw } = packBlock(memory.bytes(from + done, Math.min(RUN_BLOCK_BYTES, bytes - done)));
        if (raw === 0) break;
        block.writeBigUInt64LE(xxh64(block.subarray(BLOCK_PACKED), state.seed()), BLOCK_CHECKSUM);
        memory.bytes(state.at, block.length).set(block);
        state.at += block.length;
        done += raw;
        advance(state.view, state.at);
      }
      return done;
    },

    unpackBlocks(cursor, to, capacity) {
      const state = open(cursor);
      let done = 0;
      while (state.end - state.at >= BLOCK_HEADER) {
        const header = memory.view(state.at, BLOCK_HEADER);
        const packed = header.getUint32(BLOCK_PACKED, true);
        const raw = header.getUint32(BLOCK_RAW, true);
        let rows: Buffer | undefined;
        if (packed <= PACKED_MOST && raw > 0 && raw <= RUN_BLOCK_BYTES) {
          if (raw > capacity - done || packed > state.end - state.at - BLOCK_HEADER) break;
          const block = Buffer.from(memory.bytes(state.at, BLOCK_HEADER + packed));
          if (header.getBigUint64(BLOCK_CHECKSUM, true) === xxh64(block.subarray(BLOCK_PACKED), state.seed())) rows = unpackBlock(block);
        }
        if (!rows) return done || DAMAGED;
        memory.bytes(to + done, raw).set(rows);
        done += raw;
        state.at += BLOCK_HEADER + packed;
        advance(state.view, state.at);
      }
      return done;
    },
  };
}

/** A block of the whole rows at the start of `bytes`, without its checksum, and the bytes of these rows. */
function packBlock(bytes: Uint8Array): { block: Buffer; raw: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Buffer[] = [];
  let at = 0;
  let before = { region: 0, user: new Uint8Array() };
  for (; bytes.length - at >= RUN_USER; ) {
    const length = view.getUint32(at + RUN_USER_LEN, true);
    if (length > MAX_USER_BYTES || bytes.length - at - RUN_USER < length) break;
    const row = { region: view.getUint32(at + RUN_REGION, true), user: bytes.slice(at + RUN_USER, at + RUN_USER + length) };
    parts.push(packRow(new DataView(view.buffer, view.byteOffset + at, RUN_USER), row, before));
    before = row;
    at += RUN_USER + length;
  }
  const block = Buffer.concat([Buffer.alloc(BLOCK_HEADER), ...parts]);
  block.writeUInt32LE(block.length - BLOCK_HEADER, BLOCK_PACKED);
  block.writeUInt32LE(parts.length, BLOCK_ROWS);
  block.writeUInt32LE(at, BLOCK_RAW);
  return { block, raw: at };
}

interface Key {
  readonly region: number;
  readonly user: Uint8Array;
}

function packRow(fixed: DataView, { region, user }: Key, before: Key): Buffer {
  let prefix = 0;
  while (prefix < Math.min(user.length, before.user.length) && user[prefix] === before.user[prefix]) prefix++;
  const rest = user.subarray(prefix);
  const sum = (fixed.getBigInt64(RUN_SUM_HI, true) << 64n) | fixed.getBigUint64(RUN_SUM_LO, true);
  const wide = BigInt.asIntN(64, sum) !== sum;
  const sumBytes = wide ? bytesOf(BigInt.asUintN(128, sum), 16) : bytesOf(sum < 0n ? -sum * 2n - 1n : sum * 2n, 0);
  const countBytes = bytesOf(fixed.getBigUint64(RUN_COUNT, true), 1);
  const other = region !== before.region;
  const control = (wide ? SUM_WIDE : sumBytes.length) | ((countBytes.length - 1) << 4) | (other ? 0x80 : 0);
  const lengths = [prefix, rest.length];
  return Buffer.concat([
    Buffer.from([control, ...lengths.map((length) => Math.min(length, LENGTH_ESCAPE))]),
    ...lengths.filter((length) => length >= LENGTH_ESCAPE).map((length) => bytesOf(BigInt(length), 2)),
    ...(other ? [bytesOf(BigInt(region), 4)] : []),
    sumBytes, countBytes, rest,
  ]);
}

/** The bytes of a number, lowest first, at least so many. */
function bytesOf(value: bigint, least: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0n || bytes.length < least; value >>= 8n) bytes.push(Number(value & 255n));
  return Buffer.from(bytes);
}

/** The rows of a block, or undefined when they are not what its header says. */
function unpackBlock(block: Buffer): Buffer | undefined {
  const rows: Buffer[] = [];
  let before: Key = { region: 0, user: new Uint8Array() };
  let at = BLOCK_HEADER;
  let enough = true;
  const take = (size: number): Buffer => {
    enough &&= block.length - at >= size;
    at += size;
    return enough ? block.subarray(at - size, at) : Buffer.alloc(size);
  };
  const number = (size: number): bigint => take(size).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const raw = block.readUInt32LE(BLOCK_RAW);
  let size = 0;
  for (let left = block.readUInt32LE(BLOCK_ROWS); left > 0; left--) {
    const control = Number(number(1));
    const [short, shortRest] = [Number(number(1)), Number(number(1))];
    const prefix = short === LENGTH_ESCAPE ? Number(number(2)) : short;
    const rest = shortRest === LENGTH_ESCAPE ? Number(number(2)) : shortRest;
    const region = control & 0x80 ? Number(number(4)) : before.region;
    const sumSize = control & 15;
    if (sumSize > SUM_WIDE || prefix > before.user.length || prefix + rest > MAX_USER_BYTES) return undefined;
    const code = number(sumSize === SUM_WIDE ? 16 : sumSize);
    const sum = sumSize === SUM_WIDE ? code : code & 1n ? -(code >> 1n) - 1n : code >> 1n;
    const count = number(((control >> 4) & 7) + 1);
    const user = Buffer.concat([before.user.subarray(0, prefix), take(rest)]);
    size += RUN_USER + user.length;
    if (!enough || size > raw) return undefined;
    const row = Buffer.alloc(RUN_USER);
    row.writeUInt32LE(region, RUN_REGION);
    row.writeUInt32LE(user.length, RUN_USER_LEN);
    row.writeBigUInt64LE(BigInt.asUintN(64, sum), RUN_SUM_LO);
    row.writeBigUInt64LE(BigInt.asUintN(64, sum >> 64n), RUN_SUM_HI);
    row.writeBigUInt64LE(count, RUN_COUNT);
    rows.push(row, user);
    before = { region, user };
  }
  return at === block.length && size === raw ? Buffer.concat(rows) : undefined;
}
