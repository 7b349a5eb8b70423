/**
 * How much memory a run may have, and who gets how much of it. The limit is a promise about the resident memory of the
 * whole process (heap, code, WASM, buffers, all workers), so what the process has already and what it will need besides
 * linear memory is taken off first; the rest is linear memory, divided by lane:
 *
 *   limit │ process now │ heap and code │ state │ decompression │ encoder │ linear ─────────────────────┐
 *                                                  │ workspace (slabs) │ pages                           │
 *   lane 1                                         │ blocks, batches   │ partition store                 │
 *   lane 2                                         │ ids, chunks       │ rest of the store + aggregate   │
 *   lane 3                                         │ columns, buffers  │ last run + hashes of users      │
 *
 * With several jobs the main thread has all of lane 3, and the blocks of lane 1 if it has to read; the rest of
 * linear memory is divided evenly among the threads, each having its stages of lanes 1 and 2:
 *
 *   linear │ main: (blocks,) IP ranges │ columns, buffers, hashes of users ┃ thread: as above ┃ thread ┃ ...
 *
 * Nobody allocates big memory without a share from here; LinearMemory enforces their sum. The result of a run does not
 * depend on any of these numbers.
 */
import { EtlError } from './errors.ts';
import { DEFAULT_MAX_RECORD, type GroupBy } from './options.ts';

const MB = 1e6;
const MiB = 1 << 20;

export const DEFAULT_MEMORY_LEAST = 128 * MB;
export const DEFAULT_MEMORY_MOST = 2000 * MB;

/**
 * With less than this besides what the process has already, the encoder's hot functions are not compiled a second time,
 * for speed, which costs 35 MB for a while. 200 MB for a process of ours.
 */
const FRUGAL_BELOW = 144 * MB;
/** Of Node. V8's compilers take 8 MB more from 22 on, most of it before a run: there it is counted, whether they have begun by then or not. */
const isOlder = Number(process.versions.node.split('.')[0]) < 22;
/** Growth of V8's heap, of compiled kernels and of what malloc holds, over a run. */
const HEAP_BYTES = (isOlder ? 17 : 14) * MB;
/** With so much, V8's heap may grow as it likes: by so much more. */
const HEAP_GROWS_FROM = 500 * MB;
const HEAP_GROWTH = 32 * MB;
/** The Parquet encoder: code, its WASM memory with one row group, row groups on their way to the disk. */
const ENCODER_BYTES = { frugal: 28 * MB, free: 64 * MB } as const;
/** A state: LevelDB, open files, and what is made of the index of pages, for each byte of it. */
const STATE_BYTES = (isOlder ? 8 : 7) * MB;
const STATE_BYTES_OF_INDEX = 6;
/** What an earlier run in the process has certainly left of both. */
const WARM_BYTES = 39 * MB;
/** What a process of ours has before a run. */
const PROCESS_BYTES = (isOlder ? 56 : 69) * MB;
/** How far two processes lie apart in that: what an error names as enough must be enough for the next one. */
const RESIDENT_VARIES = 2 * MB;
/** A thread besides the main one: its heap, its stack, and an encoder with one row group. */
const THREAD_BYTES = 24 * MB;
/** What the stages of lane 1 have in slabs, blocks left out. */
const STAGES_BYTES = 4 * MiB;
/** What one block hands to the next besides an unfinished record, and where blocks wait for a thread. */
const RELAY_BYTES = MiB;
/** An unfinished record that stands before a block, and what kernels may read past it. */
const CARRIED_BYTES = MiB + 256;
/** Half of linear memory over so much is room for a long record, as far as one may be that long: what finds no room is an error. */
const LONG_RECORDS_FROM = 24 * MiB;
/** IP ranges: those of the embedded database take 2.7 MB. */
const GEO_BYTES = 4 * MiB;
/** More would only wait for each other; and each has its place in some tables of fixed size. */
export const MAX_JOBS = 64;
/** Less than this is not worth a thread: it would spend its time on files. */
const THREAD_LEAST = 20 * MiB;
/** Below this much linear memory there is no room for one block, one chunk and one page for every partition. */
const LINEAR_LEAST = 14 * MiB;
/** All that 32-bit addresses reach, less one WASM page. */
const LINEAR_MOST = 2 ** 32 - 65536;

export interface MemoryBudget {
  /** Most bytes that the process may have resident. */
  readonly limit: number;
  /** Jobs that fit: at most as many as asked for. 1: all is done in the main thread; more: in so many threads besides it. */
  readonly jobs: number;
  /** All linear memory. */
  readonly linear: number;
  /** Of the main thread's part, what is kept for slabs: pages take none of it. */
  readonly workspace: number;
  /** Linear memory of each thread besides the main one, and what of it is kept for slabs. 0 with one job. */
  readonly threadBytes: number;
  readonly threadWorkspace: number;
  /** Lane 1: bytes of one input block, and how many the main thread has. 0: each thread reads files itself, into one. */
  readonly blockBytes: number;
  readonly blocks: number;
  /** Lane 1: room for an unfinished record, and for the block behind it if it is a long one. */
  readonly relayBytes: number;
  /** Lane 1: pages of the partition store, in bytes, and how many of them it may keep; log2 of its partitions. */
  readonly storeBytes: number;
  readonly keepBytes: number;
  readonly partitionBits: number;
  /** Lane 2: bytes of each of the two buffers that read spilled partitions back. */
  readonly chunkBytes: number;
  /** Lane 2: the largest table of ids, in bytes. */
  readonly idTableBytes: number;
  /** Lane 2: pages of rows that were put off because the table of ids was full, in bytes. */
  readonly deferredBytes: number;
  /** Lane 2: the aggregate's table, in bytes. */
  readonly aggregateBytes: number;
  /** Lane 3: runs merged at once, and bytes of buffer for each. */
  readonly fanIn: number;
  readonly runBufferBytes: number;
  /** Lane 3: row groups as columns, in linear memory. */
  readonly columnAreas: number;
  /** Lane 3: pages of hashes of users, in bytes; the table that counts them has as much, from the workspace. */
  readonly distinctBytes: number;
  /** Whether the encoder is to be kept small. */
  readonly frugal: boolean;
  /** V8's heap need not be kept small. */
  readonly heapGrows: boolean;
  /** Lane 3: row groups that may be on their way to the disk. */
  readonly writesAtOnce: number;
}

export interface BudgetRequest {
  /** Bytes. */
  readonly limit: number;
  readonly jobs: number;
  /** Whether an input is a pipe, or has to be decoded: the main thread reads them all then. */
  readonly piped?: boolean;
  /** Most bytes of a record; default DEFAULT_MAX_RECORD. */
  readonly maxRecord?: number;
  /** Bytes that decompressing the inputs takes. */
  readonly decodingBytes?: number;
  /** Bytes of the index of a state that the run has; undefined: it has none. */
  readonly stateIndex?: number | undefined;
  /** Resident bytes of the process as it is now. */
  readonly resident?: number;
  /** A run in this process has come before: what the heap and the encoder take is resident already. */
  readonly warm?: boolean;
}

/** The least limit that one worker can run in. */
export function leastMemory(process: Pick<BudgetRequest, 'resident' | 'warm' | 'stateIndex' | 'decodingBytes'>): number {
  const { decodingBytes = 0 } = process;
  return Math.ceil((before(process) + HEAP_BYTES + stateBytes(process) + decodingBytes + ENCODER_BYTES.frugal + LINEAR_LEAST) / MB) * MB;
}

/** What the process has, or would have, without any run. */
function before({ resident = 0, warm = false }: Pick<BudgetRequest, 'resident' | 'warm'>): number {
  return Math.max(warm ? resident - WARM_BYTES : resident, PROCESS_BYTES);
}

function stateBytes({ stateIndex }: Pick<BudgetRequest, 'stateIndex'>): number {
  return stateIndex === undefined ? 0 : STATE_BYTES + STATE_BYTES_OF_INDEX * stateIndex;
}

/**
 * Heap that the names, folders and files of so many regions take: it is to be taken off linear memory. The few hundred
 * of a country database are in what every run has.
 */
export function regionBytes(regions: number, groupBy: GroupBy): number {
  return Math.max(regions - 500, 0) * (groupBy === 'region' ? 2600 : 900);
}

/** What of a limit is not for linear memory, in bytes. */
export interface Outside {
  readonly process: number;
  readonly heap: number;
  readonly state: number;
  readonly decompression: number;
  readonly encoder: number;
  readonly threads: number;
}

export function outsideLinear(request: BudgetRequest, { frugal, heapGrows, jobs }: Pick<MemoryBudget, 'frugal' | 'heapGrows' | 'jobs'>): Outside {
  return {
    process: before(request),
    heap: HEAP_BYTES + (heapGrows ? HEAP_GROWTH : 0),
    state: stateBytes(request),
    decompression: request.decodingBytes ?? 0,
    encoder: ENCODER_BYTES[frugal ? 'frugal' : 'free'],
    threads: jobs > 1 ? jobs * THREAD_BYTES : 0,
  };
}

/**
 * Divides `limit`. Fewer jobs than asked for when they do not fit. Throws ETL_USAGE, naming the floor, when not even one
 * does.
 */
export function planMemory(request: BudgetRequest): MemoryBudget {
  const { limit, jobs, piped = false, resident = 0, maxRecord } = request;
  const floor = leastMemory(request);
  if (limit < floor) {
    const enough = Math.ceil((floor + RESIDENT_VARIES) / (5 * MB)) * 5;
    throw new EtlError('ETL_USAGE', `--memory ${Math.round(limit / 1e5) / 10}MB is less than this process needs: at least ${enough}MB.`, {
      hint: `It has ${Math.round(resident / MB)}MB before it begins.`,
    });
  }
  const room = limit - before(request);
  const frugal = room < FRUGAL_BELOW;
  const heapGrows = room >= HEAP_GROWS_FROM;
  // Where one job has to be frugal there is nothing to divide.
  for (let wanted = frugal ? 1 : Math.min(jobs, MAX_JOBS); ; wanted--) {
    const outside = Object.values(outsideLinear(request, { frugal, heapGrows, jobs: wanted })).reduce((sum, bytes: number) => sum + bytes, 0);
    const linear = Math.min(LINEAR_MOST, wholePages(limit - outside));
    const shares = divide(linear, wanted, GEO_BYTES, piped, maxRecord);
    if (shares.jobs === wanted) return { limit, frugal, heapGrows, ...shares };
  }
}

/**
 * The shares of so much linear memory, of which the main thread has `geoBytes` for IP ranges; with several jobs, so many of
 * them as it is enough for. `piped`: as in BudgetRequest.
 */
export function divide(
  linear: number, jobs = 1, geoBytes = GEO_BYTES, piped = false, maxRecord = DEFAULT_MAX_RECORD,
): Omit<MemoryBudget, 'limit' | 'frugal' | 'heapGrows'> {
  for (; jobs > 1; jobs--) {
    const shares = shareOut(linear, jobs, geoBytes, piped, maxRecord);
    if (shares.threadBytes >= THREAD_LEAST) return shares;
  }
  return shareOut(linear, 1, geoBytes, piped, maxRecord);
}

function shareOut(linear: number, jobs: number, geoBytes: number, piped: boolean, maxRecord: number): Omit<MemoryBudget, 'limit' | 'frugal' | 'heapGrows'> {
  const { small, large } = sizeOf(linear / jobs);
  const threadsRead = jobs > 1 && !piped;
  // Whatever is done once a block finds the caches cold: the larger the block, the less of it.
  const blockBytes = small ? 256 << 10 : large ? 2 * MiB : MiB;
  // Read for threads: each has one and the next is there already; one is being read, one is lent to its successor.
  const blocks = threadsRead ? 0 : jobs > 1 ? 2 * jobs + 2 : small ? 2 : 3;
  const fanIn = small ? 16 : large ? 64 : 32;
  const runBufferBytes = small ? 32 << 10 : large ? 128 << 10 : 64 << 10;
  const columnAreas = jobs > 1 ? jobs + (small ? 1 : 3) : small ? 1 : 2;
  const distinctBytes = wholePages(Math.max(linear / 32, 1.25 * MiB));
  const recordBytes = wholePages(maxRecord + blockBytes + 2 * 16384);
  const relayBytes = Math.min(recordBytes, Math.max(CARRIED_BYTES, wholePages((linear - LONG_RECORDS_FROM) / 2)));
  const main = { relayBytes, blockBytes, blocks, fanIn, runBufferBytes, columnAreas, distinctBytes, writesAtOnce: small ? 2 : 4 };
  // The most that a lane has in slabs: see each lane's stages.
  const input = blocks * (blockBytes + MiB);
  const publish = columnAreas * 4 * MiB + fanIn * 2 * runBufferBytes + distinctBytes + 2 * MiB;
  if (jobs === 1) {
    return { jobs, linear, threadBytes: 0, threadWorkspace: 0, ...main, ...laneShares(linear, Math.max(input + relayBytes + STAGES_BYTES, publish), distinctBytes) };
  }
  const workspace = wholePages(Math.max(input + relayBytes + RELAY_BYTES + Math.max(geoBytes, GEO_BYTES), publish));
  const threadBytes = Math.max(wholePages((linear - workspace - distinctBytes - MiB) / jobs), 0);
  const { workspace: threadWorkspace, ...thread } = laneShares(threadBytes, STAGES_BYTES + (threadsRead ? blockBytes + MiB : 0), 0);
  return { jobs, linear, threadBytes, threadWorkspace, workspace, ...main, ...thread };
}

/** The shares of a thread that runs lanes 1 and 2, and maybe others that take so much of the workspace. */
function laneShares(linear: number, others: number, distinctBytes: number) {
  const { small, large } = sizeOf(linear);
  const chunkBytes = small ? 512 << 10 : large ? 2 * MiB : MiB;
  const idTableBytes = powerOfTwoBelow(Math.min(Math.max(linear / 16, 2 * MiB), 256 * MiB));
  const lane2 = idTableBytes + 2 * chunkBytes + 2 * MiB;
  const workspace = wholePages(Math.min(Math.max(others, lane2), linear * 0.6));
  const pages = linear - workspace;
  const storeBytes = wholePages(pages * 7 / 8); // the rest is what the aggregate begins with
  // Writing the last rows, too, costs less than many small runs; where there is room for both it is for nothing.
  const keepBytes = large ? storeBytes : wholePages(storeBytes / 4);
  // An open page for every partition is at most a quarter of the store.
  const partitionBits = Math.min(10, Math.max(4, Math.floor(Math.log2(storeBytes / 4 / 16384))));
  const deferredBytes = wholePages(Math.max(pages / 8, 1.25 * MiB));
  const aggregateBytes = wholePages(pages - Math.max(deferredBytes, distinctBytes));
  return { workspace, storeBytes, keepBytes, partitionBits, chunkBytes, idTableBytes, deferredBytes, aggregateBytes };
}

function sizeOf(linear: number): { small: boolean; large: boolean } {
  return { small: linear < 64 * MiB, large: linear >= 256 * MiB };
}

function wholePages(bytes: number): number {
  return Math.floor(bytes / 16384) * 16384;
}

function powerOfTwoBelow(bytes: number): number {
  return 2 ** Math.floor(Math.log2(bytes));
}
