/**
 * IP database -> range table: what a lookup needs of a database, and nothing else, in a few megabytes of linear memory.
 * The table's layout is drawn in kernels/assembly/geo-lookup.ts. The file is read into linear memory, its search tree is
 * walked once by the kernel, and all memory but the table's is free again: the table moves to the lowest place there is,
 * so that it parts nothing. The embedded database takes some 40 ms, 13 MB while that lasts, and 2.7 MB from then on; the
 * build does that beforehand (prepared-table.ts).
 *
 * Lookups through the table agree with `maxmind` on every address and every database, but for three places, on purpose:
 * - An IPv4-mapped IPv6 address (::ffff:0:0/96) is looked up as the IPv4 address it stands for where the database has
 *   nothing of its own at that place. maxmind answers null there, unless the database has an alias.
 * - In a database of IPv4 addresses only, every other IPv6 address is unknown. maxmind takes its first 32 bits for an
 *   IPv4 address.
 * - The zone of an address (`%eth0`) is only checked, by maxmind's rule. maxmind goes on to read a zone that has a colon
 *   or an IPv4 address in it as if it were part of the address.
 */
import {
  BUILD_BAD_RECORD, BUILD_BYTES, BUILD_CAPACITY, BUILD_DATA_BYTES, BUILD_FULL, BUILD_IP_VERSION, BUILD_MARKS, BUILD_NODES, BUILD_OK,
  BUILD_RECORD_BITS, BUILD_REGIONS, BUILD_STEPS, BUILD_TABLE, BUILD_TOO_DEEP, BUILD_TOO_MANY_STEPS, BUILD_TREE, BUILD_UNKNOWN,
  BUILD_WIDTH, DIRECTORY_ENTRIES, TABLE_ALIASES, TABLE_BYTES, TABLE_CHUNKS, TABLE_PAD, TABLE_RANGES4, TABLE_RANGES6,
} from '../kernels/geo-layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { GeoKernel } from '../kernels/twins/geo.ts';
import type { GeoDatabase } from './database.ts';
import { openDatabase } from './database.ts';
import { readPrepared } from './prepared-table.ts';
import { readRegions } from './regions.ts';

export interface RangeTable {
  readonly ptr: number;
  readonly bytes: number;
  /** Index = region number, as BATCH_REGION has it; in byte order of the UTF-8 names, `ZZ` included. */
  readonly regions: readonly string[];
  /** The number of `ZZ`. */
  readonly unknown: number;
  /** Ranges of each family, neighbours of the same region joined. */
  readonly ranges4: number;
  readonly ranges6: number;
  /** Prefixes of the IPv6 tree, besides ::/96, that lead to the IPv4 tree. */
  readonly aliases: number;
  readonly database: {
    readonly type: string;
    /** ISO 8601, or `unknown`. */
    readonly buildDate: string;
    /** As given, or `embedded`. */
    readonly path: string;
  };
  /** Gives the memory back, at the end of lane 1; everything but `ptr` stays valid. Idempotent. */
  close(): void;
}

export interface RangeTableOptions {
  /** Path of an MMDB file; undefined = the embedded one. */
  readonly file?: string | undefined;
  /** Dotted path of the field that names a region; undefined = `country.iso_code`, else `country_code`. */
  readonly field?: string | undefined;
}

/** Nodes between two calls of the marking loop: the engine replaces a slow version of a function only between calls. */
const MARK_STEP = 4096;
/**
 * A sane tree has each node once. Some share subtrees besides the aliases; none by as much as this. Visits all over a large
 * tree miss every cache: some seconds for 20 million nodes.
 */
const MAX_VISITS_PER_NODE = 2;
const SPARE_VISITS = 1 << 20;
/** Offsets in a table have 31 bits. A larger one is built in vain until there is no more memory: ETL_MEMORY. */
const MAX_TABLE_BYTES = 2 ** 31;

const troubles: Readonly<Record<number, string>> = {
  [BUILD_TOO_DEEP]: 'its search tree is deeper than an address has bits',
  [BUILD_TOO_MANY_STEPS]: 'its search tree leads to the same nodes over and over',
  [BUILD_BAD_RECORD]: 'its search tree leads out of the data',
};

/** Builds the range table of a database. Throws ETL_GEO_DATABASE when it is not usable, ETL_MEMORY when it is too big. */
export async function openRangeTable(
  options: RangeTableOptions, memory: LinearMemory, kernel: GeoKernel,
): Promise<RangeTable> {
  const prepared = options.file === undefined && options.field === undefined ? readPrepared(memory) : undefined;
  if (prepared) return prepared;
  const database = await openDatabase(options.file, memory);
  const slabs = new Slabs(memory);
  let built: { readonly at: number; readonly names: readonly string[]; readonly unknown: number };
  try {
    built = buildRangeTable(database, options.field, slabs, memory, kernel);
  } finally {
    slabs.close();
    database.close();
  }
  // The table stands in memory that is free now, but nothing else has run since: it moves down.
  const table = memory.view(built.at, TABLE_CHUNKS);
  const bytes = table.getUint32(TABLE_BYTES, true);
  const [ranges4, ranges6, aliases] = [TABLE_RANGES4, TABLE_RANGES6, TABLE_ALIASES].map((at) => table.getUint32(at, true)) as [number, number, number];
  const ptr = slabs.take(bytes, 'range table');
  memory.bytes(ptr, bytes).set(memory.bytes(built.at, bytes));
  const { type, buildDate, path } = database;
  return {
    ptr, bytes, regions: built.names, unknown: built.unknown, ranges4, ranges6, aliases, database: { type, buildDate, path },
    close: () => slabs.close(),
  };
}

function buildRangeTable(database: GeoDatabase, field: string | undefined, slabs: Slabs, memory: LinearMemory, kernel: GeoKernel) {
  const { nodes, dataBytes } = database;
  const siteBytes = BUILD_BYTES + dataBytes + 1;
  const site = slabs.take(siteBytes, 'building site of the range table');
  memory.bytes(site, siteBytes).fill(0);
  const build = memory.view(site, BUILD_BYTES);
  const set = (at: number, value: number): void => build.setUint32(at, value, true);
  const marksAt = site + BUILD_BYTES;
  set(BUILD_TREE, database.tree);
  set(BUILD_NODES, nodes);
  set(BUILD_RECORD_BITS, database.recordBits);
  set(BUILD_IP_VERSION, database.ipVersion);
  set(BUILD_DATA_BYTES, dataBytes);
  set(BUILD_MARKS, marksAt);
  for (let node = 0; node < nodes; node += MARK_STEP) kernel.markRecords(site, node, Math.min(node + MARK_STEP, nodes));

  const marks = memory.bytes(marksAt, dataBytes);
  const offsets: number[] = [];
  for (let at = marks.indexOf(1); at >= 0; at = marks.indexOf(1, at + 1)) offsets.push(at);
  const { names, unknown, numbers } = readRegions(database, offsets, field);
  // All ones are no region.
  const width = names.length < 0x100 ? 1 : names.length < 0x10000 ? 2 : 4;
  const regionsAt = width === 1 ? marksAt : slabs.take(dataBytes * width, 'regions of the records');
  const { buffer } = memory.memory;
  const regions = width === 1 ? marks : width === 2 ? new Uint16Array(buffer, regionsAt, dataBytes) : memory.u32(regionsAt, dataBytes);
  offsets.forEach((offset, i) => (regions[offset] = numbers[i]!));
  set(BUILD_REGIONS, regionsAt);
  set(BUILD_WIDTH, width);
  set(BUILD_UNKNOWN, unknown);

  // A table takes about a third of its tree.
  for (let capacity = TABLE_CHUNKS + DIRECTORY_ENTRIES * 4 + TABLE_PAD + Math.ceil((nodes * database.recordBits) / 8); ; capacity *= 2) {
    const at = slabs.take(capacity, 'range table');
    set(BUILD_TABLE, at);
    set(BUILD_CAPACITY, Math.min(capacity, MAX_TABLE_BYTES));
    set(BUILD_STEPS, nodes * MAX_VISITS_PER_NODE + SPARE_VISITS);
    const state = kernel.buildTable(site);
    if (state === BUILD_OK) return { at, names, unknown };
    if (state !== BUILD_FULL) throw database.error(`is damaged: ${troubles[state] ?? `state ${state}`}`);
    slabs.give(at);
  }
}

/** Slabs that are given back together. */
class Slabs {
  readonly #memory: LinearMemory;
  readonly #bytes = new Map<number, number>();

  constructor(memory: LinearMemory) {
    this.#memory = memory;
  }

  take(bytes: number, purpose: string): number {
    const at = this.#memory.slab(bytes, purpose);
    this.#bytes.set(at, bytes);
    return at;
  }

  give(at: number): void {
    this.#memory.giveSlab(at, this.#bytes.get(at)!);
    this.#bytes.delete(at);
  }

  close(): void {
    for (const at of this.#bytes.keys()) this.give(at);
  }
}
