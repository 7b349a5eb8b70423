/**
 * Contract and twin of the geo kernel: a search tree becomes a range table, texts become region numbers. The table is
 * drawn in ../assembly/geo-lookup.ts, the building site in ../geo-layout.ts; both sides write the same bytes.
 */
import {
  BITS_BEFORE, BITS_BYTES, BLOCK_VALUES, BUILD_BAD_RECORD, BUILD_CAPACITY, BUILD_DATA_BYTES, BUILD_FULL, BUILD_IP_VERSION,
  BUILD_MARKS, BUILD_NODES, BUILD_OK, BUILD_RECORD_BITS, BUILD_REGIONS, BUILD_STEPS, BUILD_TABLE, BUILD_TOO_DEEP,
  BUILD_TOO_MANY_STEPS, BUILD_TREE, BUILD_UNKNOWN, BUILD_WIDTH, DIRECTORY_ENTRIES, ENTRY_MASK, KIND_ALIAS, KIND_BLOCK, KIND_LIST,
  KIND_REGION, KIND_SHIFT, LINE_SHIFT, LIST_ENTRIES, LIST_MAX, LIST_STARTS, NARROW_LIMIT, TABLE_ALIASES, TABLE_BYTES, TABLE_CHUNKS,
  TABLE_DIRECTORY, TABLE_DIRECTORY_SHIFT, TABLE_PAD, TABLE_RANGES4, TABLE_RANGES6, TABLE_ROOT6, TABLE_UNKNOWN, TABLE_WIDTH,
} from '../geo-layout.ts';
import { BATCH_BYTES, BATCH_IP_LEN, BATCH_IP_PTR, BATCH_REGION, BATCH_STATUS, REJECT_NONE } from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import { parseAddress } from './geo-text.ts';

/** All numbers are addresses, sizes or counts (u32). `build` is the address of a building site, its inputs filled in. */
export interface GeoKernel {
  /** First pass: marks the data records that nodes [from, to) lead to. */
  markRecords(build: number, from: number, to: number): void;
  /** Second pass: builds the table at BUILD_TABLE. Gives BUILD_OK, or one of the BUILD_* codes for what is wrong. */
  buildTable(build: number): number;
  /** Writes BATCH_REGION of the first `rows` rows of a batch; rows with a status are passed over. */
  lookupBatch(table: number, batch: number, rows: number): void;
}

/** Between the search tree and the data section; a tree's records count data from the tree's end. */
const SEPARATOR = 16;

export function createGeoTwin(memory: LinearMemory): GeoKernel {
  return {
    markRecords(build, from, to) {
      const data = memory.view(0, memory.size);
      const first = data.getUint32(build + BUILD_NODES, true) + SEPARATOR;
      const dataBytes = data.getUint32(build + BUILD_DATA_BYTES, true);
      const marks = data.getUint32(build + BUILD_MARKS, true);
      for (let node = from; node < to; node++) {
        for (const side of [0, 1] as const) {
          const at = readRecord(data, build, node, side) - first;
          if (at >= 0 && at < dataBytes) data.setUint8(marks + at, 1);
        }
      }
    },

    buildTable: (build) => buildTable(memory.view(0, memory.size), build),

    lookupBatch(table, batch, rows) {
      const data = memory.view(0, memory.size);
      const columns = memory.view(batch, BATCH_BYTES);
      for (let row = 0; row < rows; row++) {
        if (columns.getUint32(BATCH_STATUS + row * 4, true) !== REJECT_NONE) continue;
        const at = columns.getUint32(BATCH_IP_PTR + row * 4, true);
        const length = columns.getUint32(BATCH_IP_LEN + row * 4, true);
        const address = parseAddress(Buffer.from(memory.memory.buffer, at, length).toString('latin1'));
        const region = address === undefined ? data.getUint32(table + TABLE_UNKNOWN, true)
          : address.family === 4 ? lookupIpv4(data, table, address.bits) : lookupIpv6(data, table, address.bits);
        columns.setUint32(BATCH_REGION + row * 4, region, true);
      }
    },
  };
}

function lookupIpv4(data: DataView, table: number, bits: number): number {
  const bytes = 1 << data.getUint32(table + TABLE_DIRECTORY_SHIFT, true);
  const entry = readUint(data, table + data.getUint32(table + TABLE_DIRECTORY, true) + (bits >>> 16) * bytes, bytes);
  const leads = 2 ** (8 * bytes - 1);
  return entry < leads ? entry
    : walk(data, table, entryOf(KIND_BLOCK, ((entry - leads) << LINE_SHIFT) >>> 1), BigInt(bits & 0xffff), 16);
}

function lookupIpv6(data: DataView, table: number, bits: bigint): number {
  return walk(data, table, data.getUint32(table + TABLE_ROOT6, true), bits, 128);
}

/** Follows the `width` bits of an address, 8 at a time, from an entry to a region number. */
function walk(data: DataView, table: number, from: number, bits: bigint, width: number): number {
  let entry = from;
  for (let left = width - 8; entry >>> KIND_SHIFT !== KIND_REGION; left -= 8) {
    if (entry >>> KIND_SHIFT === KIND_ALIAS) {
      return lookupIpv4(data, table, Number((bits >> BigInt(96 - (entry & ENTRY_MASK))) & 0xffffffffn));
    }
    const low = Number((bits >> BigInt(left)) & 0xffn);
    entry = follow(data, table + (entry & ENTRY_MASK) * 2, entry >>> KIND_SHIFT, data.getUint32(table + TABLE_WIDTH, true), low);
  }
  return entry;
}

/** The entry for `low` in a chunk. */
function follow(data: DataView, chunk: number, kind: number, width: number, low: number): number {
  if (kind === KIND_LIST) {
    const starts = data.getUint8(chunk) & LIST_STARTS;
    const bytes = data.getUint8(chunk) & LIST_ENTRIES ? 4 : width;
    let index = 0;
    while (index < starts && data.getUint8(chunk + 1 + index) <= low) index++;
    return readUint(data, chunk + 1 + starts + index * bytes, bytes);
  }
  const value = readUint(data, chunk + BLOCK_VALUES + ones(data, chunk, low) * width, width);
  if (value !== escapeOf(width)) return value;
  const bits = chunk + BLOCK_VALUES + (1 + ones(data, chunk, 255)) * width;
  return data.getUint32(bits + BITS_BYTES + (ones(data, bits, low) - 1) * 4, true);
}

/** How many of the bits 0 ... `low` are set. */
function ones(data: DataView, bits: number, low: number): number {
  let count = 0;
  for (let bit = 0; bit <= low; bit++) count += (data.getUint8(bits + (bit >> 3)) >> (bit & 7)) & 1;
  return count;
}

/** What stands for an entry among region numbers of `width` bytes. */
function escapeOf(width: number): number {
  return 2 ** (8 * width) - 1;
}

function entryOf(kind: number, value: number): number {
  return ((kind << KIND_SHIFT) | value) >>> 0;
}

function readUint(data: DataView, at: number, bytes: number): number {
  return bytes === 1 ? data.getUint8(at) : bytes === 2 ? data.getUint16(at, true) : data.getUint32(at, true);
}

function writeUint(data: DataView, at: number, bytes: number, value: number): void {
  if (bytes === 1) data.setUint8(at, value);
  else if (bytes === 2) data.setUint16(at, value, true);
  else data.setUint32(at, value, true);
}

/** The left (0) or right (1) record of a node. */
function readRecord(data: DataView, build: number, node: number, side: 0 | 1): number {
  const bits = data.getUint32(build + BUILD_RECORD_BITS, true);
  const at = data.getUint32(build + BUILD_TREE, true) + node * (bits / 4);
  if (bits === 32) return data.getUint32(at + side * 4);
  const low = at + side * (bits === 24 ? 3 : 4);
  const value = data.getUint16(low) * 256 + data.getUint8(low + 2);
  if (bits === 24) return value;
  const middle = data.getUint8(at + 3);
  return value + (side === 0 ? middle >> 4 : middle & 15) * 0x1000000;
}

/** A stretch of addresses inside a chunk: starts at the bits `low`. */
interface Stretch {
  readonly low: number;
  readonly entry: number;
}

/** Why a build ends before its end; the code is what the kernel gives. */
class BuildTrouble extends Error {
  readonly state: number;
  constructor(state: number) {
    super(`state ${state}`);
    this.state = state;
  }
}

function buildTable(data: DataView, build: number): number {
  const input = (field: number): number => data.getUint32(build + field, true);
  const [nodes, unknown, width, table] = [input(BUILD_NODES), input(BUILD_UNKNOWN), input(BUILD_WIDTH), input(BUILD_TABLE)];
  const [regions, dataBytes] = [input(BUILD_REGIONS), input(BUILD_DATA_BYTES)];
  const end = table + input(BUILD_CAPACITY);
  const isIpv6 = input(BUILD_IP_VERSION) === 6;
  let out = table;
  let steps = input(BUILD_STEPS);
  let aliases = 0;
  let family = 4;
  let last = -1;
  let ranges = 0;

  let root4 = 0;
  if (isIpv6) for (let i = 0; i < 96 && root4 < nodes; i++) root4 = readRecord(data, build, root4, 0);

  /** The next `bytes` of the table, zeroed. */
  function take(bytes: number): number {
    const start = out;
    out += bytes + (bytes % 2);
    if (out + TABLE_PAD > end) throw new BuildTrouble(BUILD_FULL);
    for (let at = start; at < out + TABLE_PAD; at++) data.setUint8(at, 0);
    return start;
  }

  function regionOf(record: number): number {
    const at = record - nodes - SEPARATOR;
    if (at < 0 || at >= dataBytes) throw new BuildTrouble(BUILD_BAD_RECORD);
    return readUint(data, regions + at * width, width);
  }

  function push(chunk: Stretch[], low: number, entry: number): void {
    if (chunk.at(-1)?.entry !== entry) chunk.push({ low, entry });
  }

  function pushLeaf(chunk: Stretch[], low: number, entry: number): void {
    if (entry !== last) ranges++;
    last = entry;
    push(chunk, low, entry);
  }

  /** As in the kernel: `mapped` means on the way to ::ffff:0:0/96 or inside, where empty places go to the IPv4 tree. */
  function collect(chunk: Stretch[], record: number, depth: number, stop: number, low: number, mapped: boolean): void {
    const empty = record === nodes;
    const first = low * 2 ** (stop - depth);
    if (empty && mapped && depth >= 96) return pushLeaf(chunk, first, entryOf(KIND_ALIAS, 96));
    if (empty && !mapped) return pushLeaf(chunk, first, unknown);
    if (record > nodes) return pushLeaf(chunk, first, regionOf(record));
    if (!empty && family === 6 && depth <= 96 && record === root4) {
      aliases++;
      return pushLeaf(chunk, first, entryOf(KIND_ALIAS, depth));
    }
    if (depth === stop) {
      if (depth === (family === 6 ? 128 : 32)) throw new BuildTrouble(BUILD_TOO_DEEP);
      return push(chunk, low, writeChunk(record, depth, mapped));
    }
    if (!empty && steps-- === 0) throw new BuildTrouble(BUILD_TOO_MANY_STEPS);
    const [left, right] = empty ? [record, record] : [readRecord(data, build, record, 0), readRecord(data, build, record, 1)];
    collect(chunk, left, depth + 1, stop, low * 2, mapped && (depth < 80 || depth >= 96));
    collect(chunk, right, depth + 1, stop, low * 2 + 1, mapped && depth >= 80);
  }

  function writeChunk(record: number, depth: number, mapped: boolean): number {
    const chunk: Stretch[] = [];
    collect(chunk, record, depth, depth + 8, 0, mapped);
    if (chunk.length === 1) return chunk[0]!.entry;
    // What the directory leads to is always a block.
    const isBlock = chunk.length > LIST_MAX || (family === 4 && depth === 16);
    const start = isBlock ? writeBlock(chunk) : writeList(chunk);
    return entryOf(isBlock ? KIND_BLOCK : KIND_LIST, (start - table) / 2);
  }

  function writeList(chunk: readonly Stretch[]): number {
    const hasEntries = chunk.some(leadsOn);
    const bytes = hasEntries ? 4 : width;
    const start = take(chunk.length * (1 + bytes));
    chunk.forEach(({ low, entry }, i) => {
      data.setUint8(start + i, i === 0 ? chunk.length - 1 + (hasEntries ? LIST_ENTRIES : 0) : low);
      writeUint(data, start + chunk.length + i * bytes, bytes, entry);
    });
    return start;
  }

  function writeBlock(chunk: readonly Stretch[]): number {
    const deeper = chunk.filter(leadsOn);
    const gap = -(out - table) & ((1 << LINE_SHIFT) - 1);
    const start = gap + take(gap + BLOCK_VALUES + chunk.length * width + (deeper.length ? BITS_BYTES + deeper.length * 4 : 0));
    const bits = start + BLOCK_VALUES + chunk.length * width;
    writeBits(start, chunk.slice(1));
    chunk.forEach((stretch, i) => writeUint(data, start + BLOCK_VALUES + i * width, width, leadsOn(stretch) ? escapeOf(width) : stretch.entry));
    if (deeper.length > 0) writeBits(bits, deeper);
    deeper.forEach(({ entry }, i) => data.setUint32(bits + BITS_BYTES + i * 4, entry, true));
    return start;
  }

  function writeBits(at: number, starts: readonly Stretch[]): void {
    for (const { low } of starts) data.setUint8(at + (low >> 3), data.getUint8(at + (low >> 3)) | (1 << (low & 7)));
    for (let word = 1; word < 4; word++) data.setUint8(at + BITS_BEFORE + word, starts.filter(({ low }) => low < word * 64).length);
  }

  function writeDirectory(root: number): void {
    const chunk: Stretch[] = [];
    collect(chunk, root, 0, 16, 0, false);
    const place = (stretch: Stretch): number => leadsOn(stretch) ? ((stretch.entry & ENTRY_MASK) * 2) >>> LINE_SHIFT : stretch.entry;
    const bytes = chunk.some((stretch) => place(stretch) >= NARROW_LIMIT) ? 4 : 2;
    const start = take(DIRECTORY_ENTRIES * bytes);
    chunk.forEach((stretch, i) => {
      const value = place(stretch) + (leadsOn(stretch) ? 2 ** (8 * bytes - 1) : 0);
      const next = chunk[i + 1]?.low ?? DIRECTORY_ENTRIES;
      for (let group = stretch.low; group < next; group++) writeUint(data, start + group * bytes, bytes, value);
    });
    data.setUint32(table + TABLE_DIRECTORY, start - table, true);
    data.setUint32(table + TABLE_DIRECTORY_SHIFT, bytes / 2, true);
  }

  try {
    take(TABLE_CHUNKS);
    writeDirectory(root4);
    data.setUint32(table + TABLE_RANGES4, ranges, true);
    family = 6;
    last = -1;
    ranges = 0;
    data.setUint32(table + TABLE_ROOT6, writeChunk(isIpv6 ? 0 : nodes, 0, true), true);
    data.setUint32(table + TABLE_RANGES6, ranges, true);
  } catch (trouble) {
    if (trouble instanceof BuildTrouble) return trouble.state;
    throw trouble;
  }
  data.setUint32(table + TABLE_BYTES, out + TABLE_PAD - table, true);
  data.setUint32(table + TABLE_WIDTH, width, true);
  data.setUint32(table + TABLE_UNKNOWN, unknown, true);
  data.setUint32(table + TABLE_ALIASES, Math.max(0, aliases - 1), true);
  return BUILD_OK;
}

function leadsOn({ entry }: Stretch): boolean {
  return entry >>> KIND_SHIFT !== KIND_REGION;
}
