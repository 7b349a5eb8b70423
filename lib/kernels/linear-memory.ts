/**
 * The one linear memory (shared, imported by every kernel) and who owns which part of it.
 *
 *   0        64 KiB                 workspace                                            limit
 *   [control][slab][slab][free][slab]│[extent of pages][extent][slab][extent] ...
 *
 * A slab is a contiguous area for one owner, from the lowest free range that holds it: the workspace is kept for slabs.
 * The pool hands out 16 KiB pages (kernels take them themselves, see assembly/pages.ts), which it gets an extent at a
 * time, from the highest free range outside of the workspace. What is given back is used again before anything new is
 * touched; a slab that fits nowhere else is made of free pages that lie side by side. Memory never shrinks and never
 * grows past `limit`: this is where the shares of the memory budget are enforced. Only touched pages are resident.
 * Content is undefined unless an owner clears it.
 *
 * Several threads share the memory by arenas: each has an object of this class for a range of its own, with workspace, free
 * list and page pool, so that nobody waits for anybody. All can read and write all; a page may be given back to another
 * pool than the one it came from, and is that thread's from then on.
 */
import { EtlError } from '../core/errors.ts';
import { WebAssembly, type WasmMemory } from './webassembly.ts';
import { FIRST_FREE_AT, PAGE_BYTES, POOL_AT, POOL_BYTES, POOL_END, POOL_FREE, POOL_NEXT, POOL_USED } from './layout.ts';

const WASM_PAGE = 65536;
/** What one refill adds: small against any budget, large against the cost of growing. */
const EXTENT_BYTES = 1 << 20;
const MAX_WASM_PAGES = 65536;

export interface LinearMemoryOptions {
  /** Bytes of linear memory that may be handed out; default, and at most, 4 GiB less one WASM page. */
  readonly limit?: number;
  /** Bytes at the start that never become pages. */
  readonly workspace?: number;
}

/** A thread's part of the memory: plain data, which can be posted to it. */
export interface Arena {
  readonly memory: WasmMemory;
  /** From 1; what makes arenas is number 0. */
  readonly number: number;
  readonly from: number;
  readonly to: number;
  /** Bytes at its start that never become pages. */
  readonly workspace: number;
}

/** A free area, whole pages. */
interface Range {
  at: number;
  end: number;
}

export class LinearMemory {
  readonly memory: WasmMemory;
  /** Address of the pool's control block, which kernels import. */
  readonly pool: number;
  /** What is handed out ends here. */
  limit: number;
  readonly #from: number;
  /** Where the workspace ends. */
  readonly #workspace: number;
  /** Arenas that share the memory, this one included. */
  #arenas = 1;
  /** In order of address, none touching the next. */
  readonly #free: Range[] = [];
  /** Address and size of each slab that someone holds. */
  readonly #slabs = new Map<number, number>();
  #end: number;

  /** A memory of its own, or what is to be used of another thread's. */
  constructor(options: LinearMemoryOptions | Arena = {}) {
    if ('memory' in options) {
      this.memory = options.memory;
      this.limit = options.to;
      this.pool = POOL_AT + POOL_BYTES * options.number;
      this.#from = options.from;
      this.#arenas = Infinity;
    } else {
      this.memory = newMemory();
      this.limit = Math.min(wholePages(options.limit ?? Infinity), (MAX_WASM_PAGES - 1) * WASM_PAGE);
      this.pool = POOL_AT;
      this.#from = FIRST_FREE_AT;
    }
    this.#end = this.#from;
    const start = 'memory' in options ? this.#from : 0;
    this.#workspace = Math.min(start + wholePages(options.workspace ?? 0), this.limit);
    if (this.#workspace > this.#from) this.#addFree({ at: this.#extend(this.#workspace, 'workspace'), end: this.#workspace });
  }

  /**
   * Takes `bytes` off the end of what may be handed out, for another thread. Makes the memory as large as it will ever be,
   * so that nobody meets an address that his view of it does not have yet. Throws ETL_MEMORY.
   */
  arena(bytes: number, workspace: number): Arena {
    const to = this.limit;
    const missing = to - this.memory.buffer.byteLength;
    if (missing > 0) this.#grow(missing, 'arenas of threads');
    this.reserve(bytes, 'an arena');
    return { memory: this.memory, number: this.#arenas++, from: this.limit, to, workspace };
  }

  /** Bytes up to the end of what was ever handed out, the workspace included. */
  get size(): number {
    return this.#end;
  }

  /** Pages that someone holds, less those that came from another arena and are free here: all arenas together balance. */
  get pagesInUse(): number {
    return this.view(this.pool + POOL_USED, 4).getInt32(0, true);
  }

  /** Slabs that someone holds. */
  get slabsInUse(): number {
    return this.#slabs.size;
  }

  /** Bytes outside of the workspace that nobody holds, in one piece or not. */
  get freeBytes(): number {
    let free = this.limit - Math.max(this.#workspace, this.#from) - this.pagesInUse * PAGE_BYTES;
    for (const [at, size] of this.#slabs) free -= Math.max(at + size - Math.max(at, this.#workspace), 0);
    return free;
  }

  /** A contiguous area of at least `bytes`, aligned to a page, its content undefined. Throws ETL_MEMORY. */
  slab(bytes: number, purpose: string): number {
    const at = this.trySlab(bytes, purpose);
    if (at !== 0) return at;
    throw new EtlError('ETL_MEMORY', `No room for ${bytes} bytes of linear memory (${purpose}) within the limit of ${this.limit}.`, {
      hint: 'Give the run more memory with --memory.',
    });
  }

  /** The same, but 0 when there is no room within the limit. Throws ETL_MEMORY when the system gives less than that. */
  trySlab(bytes: number, purpose: string): number {
    return this.#trySlab(bytes, purpose, (range) => [range]);
  }

  /** The same, outside of the workspace: for what grows with the data, at the cost of pages. */
  trySlabOfPages(bytes: number, purpose: string): number {
    return this.#trySlab(bytes, purpose, (range) => this.#outside(range));
  }

  /** Takes bytes off the limit, for something that is not in linear memory. Throws ETL_MEMORY when they are in use. */
  reserve(bytes: number, purpose: string): void {
    const limit = this.limit - Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    if (limit < this.#end) {
      const missing = Math.ceil((this.#end - limit) / 1e6);
      throw new EtlError('ETL_MEMORY', `No room for ${Math.ceil(bytes / 1e6)} MB (${purpose}): ${missing} MB are missing.`, {
        hint: `Give the run more memory with --memory: ${missing + 10} MB more at least.`,
      });
    }
    this.limit = limit;
  }

  /** Throws ETL_INTERNAL unless the area was handed out. Host wrappers check what they pass to a kernel with it. */
  assertHolds(at: number, bytes: number, what: string): void {
    const end = this.#arenas > 1 ? this.memory.buffer.byteLength : this.#end;
    if (Number.isInteger(at) && Number.isInteger(bytes) && at >= FIRST_FREE_AT && bytes >= 0 && at + bytes <= end) return;
    throw new EtlError('ETL_INTERNAL', `${what} at ${at}, ${bytes} bytes, is not inside linear memory (${FIRST_FREE_AT} to ${end}).`);
  }

  /** Takes a slab back; `bytes` as asked for. Throws ETL_INTERNAL when nobody holds such a slab. */
  giveSlab(at: number, bytes: number): void {
    const size = slabSize(bytes);
    if (this.#slabs.get(at) !== size) throw new EtlError('ETL_INTERNAL', `Nobody holds a slab of ${bytes} bytes at ${at}.`);
    this.#slabs.delete(at);
    this.#addFree({ at, end: at + size });
  }

  /** Gives the pool more pages, if it has none. False when it has none and there is no room within the limit. */
  refillPool(): boolean {
    const pool = this.view(this.pool, 16);
    if (pool.getUint32(POOL_FREE, true) !== 0 || pool.getUint32(POOL_NEXT, true) !== pool.getUint32(POOL_END, true)) return true;
    const place = this.#free.findLastIndex((range) => this.#outside(range).length > 0);
    let at: number;
    let size: number;
    if (place >= 0) {
      const part = this.#outside(this.#free[place]!).at(-1)!;
      size = Math.min(EXTENT_BYTES, part.end - part.at);
      at = part.end - size;
      this.#cut(place, at, size);
    } else {
      size = Math.min(EXTENT_BYTES, this.limit - this.#end);
      if (size <= 0) return false;
      at = this.#extend(this.#end + size, 'pages');
    }
    pool.setUint32(POOL_NEXT, at, true);
    pool.setUint32(POOL_END, at + size, true);
    return true;
  }

  /** A page, refilling as needed; aligned to PAGE_BYTES, like every page. Throws ETL_MEMORY. */
  takePage(): number {
    this.assertPageLeft();
    return this.takePageIfAny();
  }

  /** Throws ETL_MEMORY when the pool has no page and cannot get one. */
  assertPageLeft(): void {
    if (this.refillPool()) return;
    throw new EtlError('ETL_MEMORY', `No page of linear memory is left within the limit of ${this.limit} bytes.`, {
      hint: 'Give the run more memory with --memory.',
    });
  }

  /** Host twin of the kernels' takePage: 0 when the pool has to be refilled. */
  takePageIfAny(): number {
    const pool = this.view(this.pool, 16);
    let page = pool.getUint32(POOL_FREE, true);
    if (page !== 0) {
      pool.setUint32(POOL_FREE, this.view(page, 4).getUint32(0, true), true);
    } else {
      page = pool.getUint32(POOL_NEXT, true);
      if (page === pool.getUint32(POOL_END, true)) return 0;
      pool.setUint32(POOL_NEXT, page + PAGE_BYTES, true);
    }
    pool.setUint32(POOL_USED, pool.getUint32(POOL_USED, true) + 1, true);
    return page;
  }

  /** Returns one page to the pool. */
  givePage(page: number): void {
    const pool = this.view(this.pool, 16);
    this.view(page, 4).setUint32(0, pool.getUint32(POOL_FREE, true), true);
    pool.setUint32(POOL_FREE, page, true);
    pool.setUint32(POOL_USED, pool.getUint32(POOL_USED, true) - 1, true);
  }

  /** Host twin of the kernels' giveChain: returns pages that are linked through their first words, ended by 0; 0 = none. */
  giveChain(first: number): void {
    for (let page = first; page !== 0; ) {
      const next = this.view(page, 4).getUint32(0, true);
      this.givePage(page);
      page = next;
    }
  }

  /** Bytes at an address, as a view of the memory itself. */
  bytes(at: number, length: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.#buffer, at, length);
  }

  u32(at: number, length: number): Uint32Array<SharedArrayBuffer> {
    return new Uint32Array(this.#buffer, at, length);
  }

  view(at: number, length: number): DataView<SharedArrayBuffer> {
    return new DataView(this.#buffer, at, length);
  }

  #trySlab(bytes: number, purpose: string, partsOf: (range: Range) => Range[]): number {
    const size = slabSize(bytes);
    let at = this.#place(size, purpose, partsOf);
    if (at === 0 && this.#drainPool()) at = this.#place(size, purpose, partsOf);
    if (at !== 0) this.#slabs.set(at, size);
    return at;
  }

  /** Moves the end of what is in use; gives where it was. */
  #extend(end: number, purpose: string): number {
    const at = this.#end;
    const missing = end - this.memory.buffer.byteLength;
    if (missing > 0) this.#grow(missing, purpose);
    this.#end = end;
    return at;
  }

  #grow(missing: number, purpose: string): void {
    try {
      this.memory.grow(Math.ceil(missing / WASM_PAGE));
    } catch (cause) {
      throw new EtlError('ETL_MEMORY', `The system gives no more memory: ${this.#end} bytes are in use, ${missing} more were asked for (${purpose}).`, { cause });
    }
  }

  /** The lowest free area of `size` bytes in those parts of ranges that are allowed, or up to the limit; 0 when there is none. */
  #place(size: number, purpose: string, partsOf: (range: Range) => Range[]): number {
    for (const [place, range] of this.#free.entries()) {
      for (const { at, end } of partsOf(range)) {
        if (end === this.#end && end - at < size && at + size <= this.limit) {
          this.#extend(at + size, purpose);
          range.end = this.#end;
        } else if (end - at < size) {
          continue;
        }
        this.#cut(place, at, size);
        return at;
      }
    }
    return this.#end + size <= this.limit ? this.#extend(this.#end + size, purpose) : 0;
  }

  /** Parts of a range that are not in the workspace: ranges join across its ends. */
  #outside({ at, end }: Range): Range[] {
    return [{ at, end: Math.min(end, this.#from) }, { at: Math.max(at, this.#workspace), end }].filter((part) => part.at < part.end);
  }

  /** Takes an area out of a range. */
  #cut(place: number, at: number, size: number): void {
    const { at: start, end } = this.#free[place]!;
    const left = [{ at: start, end: at }, { at: at + size, end }];
    this.#free.splice(place, 1, ...left.filter((part) => part.at < part.end));
  }

  /** Adds a range, which joins its neighbours. */
  #addFree(added: Range): void {
    const place = this.#free.findLastIndex(({ at }) => at < added.at) + 1;
    const before = this.#free[place - 1];
    const after = this.#free[place];
    const joinsBefore = before?.end === added.at;
    const joinsAfter = after?.at === added.end;
    const joined = { at: joinsBefore ? before.at : added.at, end: joinsAfter ? after.end : added.end };
    this.#free.splice(place - Number(joinsBefore), Number(joinsBefore) + Number(joinsAfter), joined);
  }

  /** Makes free ranges of the pages that the pool has; false when it has none. Rare: it sorts them. */
  #drainPool(): boolean {
    const pool = this.view(this.pool, 16);
    const all = new DataView(this.#buffer); // other arenas, too
    const ranges: Range[] = [];
    for (let at = pool.getUint32(POOL_FREE, true); at !== 0; at = all.getUint32(at, true)) ranges.push({ at, end: at + PAGE_BYTES });
    const extent = { at: pool.getUint32(POOL_NEXT, true), end: pool.getUint32(POOL_END, true) };
    if (extent.at !== extent.end) ranges.push(extent);
    if (ranges.length === 0) return false;
    for (const word of [POOL_FREE, POOL_NEXT, POOL_END]) pool.setUint32(word, 0, true);
    const sorted = ranges.concat(this.#free.splice(0)).sort((a, b) => a.at - b.at);
    for (const range of sorted) {
      const before = this.#free.at(-1);
      if (before?.end === range.at) before.end = range.end;
      else this.#free.push(range);
    }
    return true;
  }

  get #buffer(): SharedArrayBuffer {
    return this.memory.buffer;
  }
}

function newMemory(): WasmMemory {
  try {
    return new WebAssembly.Memory({ initial: FIRST_FREE_AT / WASM_PAGE, maximum: MAX_WASM_PAGES, shared: true });
  } catch (cause) {
    throw new EtlError('ETL_MEMORY', 'The system does not give this process 4 GiB of address space.', {
      cause,
      hint: 'Address space costs no memory. Raise its limit: ulimit -v unlimited',
    });
  }
}

function wholePages(bytes: number): number {
  return Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function slabSize(bytes: number): number {
  return Math.max(Math.ceil(bytes / PAGE_BYTES), 1) * PAGE_BYTES;
}
