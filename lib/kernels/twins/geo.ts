/**
 * Contract and twin of the geo kernel: a search tree becomes a range table, texts become region numbers. The table is
 * drawn in ../assembly/geo-lookup.ts, the building site in ../geo-layout.ts; both sides write the same bytes.
 */
import {
  BUILD_BAD_RECORD, BUILD_CAPACITY, BUILD_DATA_BYTES, BUILD_FULL, BUILD_IP_VERSION, BUILD_MARKS, BUILD_NODES, BUILD_OK, 
  BUILD_RECORD_BITS, BUILD_REGIONS, BUILD_STEPS, BUILD_TABLE, BUILD_TOO_DEEP, BUILD_TOO_MANY_STEPS, BUILD_TREE, BUILD_UNKNOWN,
  BUILD_WIDTH, DIRECTORY_ENTRIES, ENTRY_MASK, KIND_ALIAS, KIND_LEAF, KIND_NODE, KIND_REGION, KIND_SHIFT, TABLE_ALIASES, TABLE_BYTES,
  TABLE_CHUNKS, TABLE_DIRECTORY4, TABLE_DIRECTORY6, TABLE_PAD, TABLE_RANGES4, TABLE_RANGES6, TABLE_UNKNOWN, TABLE_WIDTH,
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
          : address.family === 4 ? lookup(data, table, TABLE_DIRECTORY4, BigInt(address.bits), 32n)
            : lookup(data, table, TABLE_DIRECTORY6, address.bits, 128n);
        columns.setUint32(BATCH_REGION + row * 4, region, true);
      }
    },
  };
}

/** Follows the `width` bits of an address, 16 at a time, from a directory to a region number. */
function lookup(data: DataView, table: number, directory: number, bits: bigint, width: bigint): number {
  const group = (level: bigint): number => Number((bits >> (width - 16n - level * 16n)) & 0xffffn);
  let entry = data.getUint32(table + directory + group(0n) * 4, true);
  for (let level = 1n; entry >>> KIND_SHIFT !== KIND_REGION; level++) {
    if (entry >>> KIND_SHIFT === KIND_ALIAS) {
      const mapped = (bits >> (96n - BigInt(entry & ENTRY_MASK))) & 0xffffffffn;
      return lookup(data, table, TABLE_DIRECTORY4, mapped, 32n);
    }
    const chunk = table + (entry & ENTRY_MASK) * 2;
    const count = data.getUint16(chunk, true) + 1;
    let index = 0;
    while (index + 1 < count && data.getUint16(chunk + (index + 1) * 2, true) <= group(level)) index++;
    const isLeaf = entry >>> KIND_SHIFT === KIND_LEAF;
    const bytes = isLeaf ? data.getUint32(table + TABLE_WIDTH, true) : 4;
    entry = readUint(data, chunk + count * 2 + index * bytes, bytes);
  }
  return entry;
}

function readUint(data: DataView, at: number, bytes: number): number {
  return bytes === 1 ? data.getUint8(at) : bytes === 2 ? data.getUint16(at, true) : data.getUint32(at, true);
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

/** A stretch of addresses inside a chunk: starts at the 16 bits `low`. */
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
  let out = table + TABLE_CHUNKS;
  let steps = input(BUILD_STEPS);
  let aliases = 0;
  let family = 4;
  let last = -1;
  let ranges = 0;

  let root4 = 0;
  if (isIpv6) for (let i = 0; i < 96 && root4 < nodes; i++) root4 = readRecord(data, build, root4, 0);

  const entryOf = (kind: number, value: number): number => ((kind << KIND_SHIFT) | value) >>> 0;

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
    collect(chunk, record, depth, depth + 16, 0, mapped);
    if (chunk.length === 1) return chunk[0]!.entry;
    const isLeaf = chunk.every(({ entry }) => entry >>> KIND_SHIFT === KIND_REGION);
    const bytes = isLeaf ? width : 4;
    const start = out;
    const values = start + chunk.length * 2;
    out = values + chunk.length * bytes;
    out += out % 2;
    if (out + TABLE_PAD > end) throw new BuildTrouble(BUILD_FULL);
    chunk.forEach(({ low, entry }, i) => {
      data.setUint16(start + i * 2, i === 0 ? chunk.length - 1 : low, true);
      if (bytes === 1) data.setUint8(values + i, entry);
      else if (bytes === 2) data.setUint16(values + i * 2, entry, true);
      else data.setUint32(values + i * 4, entry, true);
    });
    return entryOf(isLeaf ? KIND_LEAF : KIND_NODE, (start - table) / 2);
  }

  function writeDirectory(at: number, root: number): number {
    const chunk: Stretch[] = [];
    last = -1;
    ranges = 0;
    collect(chunk, root, 0, 16, 0, family === 6);
    chunk.forEach(({ low, entry }, i) => {
      const next = chunk[i + 1]?.low ?? DIRECTORY_ENTRIES;
      for (let group = low; group < next; group++) data.setUint32(at + group * 4, entry, true);
    });
    return ranges;
  }

  try {
    const ranges4 = writeDirectory(table + TABLE_DIRECTORY4, root4);
    family = 6;
    const ranges6 = writeDirectory(table + TABLE_DIRECTORY6, isIpv6 ? 0 : nodes);
    data.setUint32(table + TABLE_RANGES4, ranges4, true);
    data.setUint32(table + TABLE_RANGES6, ranges6, true);
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
