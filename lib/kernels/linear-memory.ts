/**
 * The one linear memory (shared, imported by every kernel) and who owns which part of it.
 *
 *   0        64 KiB                 workspace                                            limit
 *   [control][slab][slab][free][slab]│[extent of pages][extent][slab][extent] ...
 *
 * A slab is a contiguous area for one owner, from the lowest free range that holds it: the workspace is kept for slabs.
 * The pool hands out 16 KiB pages (kernels take them themselves, see assembly/pages.ts), which it gets an extent at a
 * time. What is given back is used again before anything new is touched; where nothing else is left, a slab is made of
 * free pages that lie side by side. Memory never shrinks and never grows past `limit`: this is where the shares of the
 * memory budget are enforced. Only touched pages are resident. Content is undefined unless an owner clears it.
 */
import { EtlError } from '../core/errors.ts';
import { WebAssembly, type WasmMemory } from './webassembly.ts';
import { FIRST_FREE_AT, PAGE_BYTES, POOL_AT, POOL_END, POOL_FREE, POOL_NEXT, POOL_USED } from './layout.ts';

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

/** A free area, whole pages. */
interface Range {
  at: number;
  end: number;
}

export class LinearMemory {
  readonly memory: WasmMemory;
  readonly limit: number;
  readonly #workspace: number;
  /** In order of address, none touching the next. */
  readonly #free: Range[] = [];
  #end = FIRST_FREE_AT;

  constructor({ limit = Infinity, workspace = 0 }: LinearMemoryOptions = {}) {
    this.limit = Math.min(wholePages(limit), (MAX_WASM_PAGES - 1) * WASM_PAGE);
    this.#workspace = wholePages(workspace);
    try {
      this.memory = new WebAssembly.Memory({ initial: FIRST_FREE_AT / WASM_PAGE, maximum: MAX_WASM_PAGES, shared: true });
    } catch (cause) {
      throw new EtlError('ETL_MEMORY', 'The system does not give this process 4 GiB of address space.', {
        cause,
        hint: 'Address space costs no memory. Raise its limit: ulimit -v unlimited',
      });
    }
    if (this.#workspace > FIRST_FREE_AT) this.giveSlab(this.#extend(this.#workspace - FIRST_FREE_AT, 'workspace'), this.#workspace - FIRST_FREE_AT);
  }

  /** Bytes up to the end of what was ever handed out, the workspace included. */
  get size(): number {
    return this.#end;
  }

  /** Pages that someone holds. */
  get pagesInUse(): number {
    return this.view(POOL_AT + POOL_USED, 4).getUint32(0, true);
  }

  /** A contiguous area of at least `bytes`, aligned to a page, its content undefined. Throws ETL_MEMORY. */
  slab(bytes: number, purpose: string): number {
    const at = this.trySlab(bytes, purpose);
    if (at !== 0) return at;
    throw new EtlError('ETL_MEMORY', `No room for ${bytes} bytes of linear memory (${purpose}): ${this.#end} of ${this.limit} are in use.`, {
      hint: 'Give the run more memory with --memory.',
    });
  }

  /** The same, but 0 when there is no room within the limit. Throws ETL_MEMORY when the system gives less than that. */
  trySlab(bytes: number, purpose: string): number {
    const size = Math.max(Math.ceil(bytes / PAGE_BYTES), 1) * PAGE_BYTES;
    const range = this.#free.find(({ at, end }) => end - at >= size);
    if (range) return this.#cut(range, size);
    if (this.#end + size <= this.limit) return this.#extend(size, purpose);
    return this.#slabOfPages(size);
  }

  /** Throws ETL_INTERNAL unless the area was handed out. Host wrappers check what they pass to a kernel with it. */
  assertHolds(at: number, bytes: number, what: string): void {
    if (Number.isInteger(at) && Number.isInteger(bytes) && at >= FIRST_FREE_AT && bytes >= 0 && at + bytes <= this.#end) return;
    throw new EtlError('ETL_INTERNAL', `${what} at ${at}, ${bytes} bytes, is not inside linear memory (${FIRST_FREE_AT} to ${this.#end}).`);
  }

  /** Takes a slab back; `bytes` as asked for. */
  giveSlab(at: number, bytes: number): void {
    const end = at + Math.max(Math.ceil(bytes / PAGE_BYTES), 1) * PAGE_BYTES;
    const next = this.#free.findIndex((range) => range.at >= end);
    const place = next < 0 ? this.#free.length : next;
    const before = this.#free[place - 1];
    const after = this.#free[place];
    if ((before && before.end > at) || at < FIRST_FREE_AT || end > this.#end) {
      throw new EtlError('ETL_INTERNAL', `The slab at ${at}, ${bytes} bytes, was not handed out.`);
    }
    const joins = { before: before?.end === at, after: after?.at === end };
    if (joins.before && joins.after) {
      before!.end = after!.end;
      this.#free.splice(place, 1);
    } else if (joins.before) {
      before!.end = end;
    } else if (joins.after) {
      after!.at = at;
    } else {
      this.#free.splice(place, 0, { at, end });
    }
  }

  /** Gives the pool more pages, if it has none. False when it has none and there is no room within the limit. */
  refillPool(): boolean {
    const pool = this.view(POOL_AT, 16);
    if (pool.getUint32(POOL_FREE, true) !== 0 || pool.getUint32(POOL_NEXT, true) !== pool.getUint32(POOL_END, true)) return true;
    const range = this.#free.find(({ end }) => end > this.#workspace);
    let at: number;
    let size: number;
    if (range) {
      // The part outside of the workspace: ranges join across its end.
      size = Math.min(EXTENT_BYTES, range.end - Math.max(range.at, this.#workspace, FIRST_FREE_AT));
      at = range.end - size;
      range.end = at;
      if (range.at === at) this.#free.splice(this.#free.indexOf(range), 1);
    } else {
      size = Math.min(EXTENT_BYTES, this.limit - this.#end);
      if (size <= 0) return false;
      at = this.#extend(size, 'pages');
    }
    pool.setUint32(POOL_NEXT, at, true);
    pool.setUint32(POOL_END, at + size, true);
    return true;
  }

  /** A page, refilling as needed; aligned to PAGE_BYTES, like every page. Throws ETL_MEMORY. */
  takePage(): number {
    if (this.refillPool()) return this.takePageIfAny();
    throw new EtlError('ETL_MEMORY', `No page of linear memory is left: ${this.#end} of ${this.limit} bytes are in use.`, {
      hint: 'Give the run more memory with --memory.',
    });
  }

  /** Host twin of the kernels' takePage: 0 when the pool has to be refilled. */
  takePageIfAny(): number {
    const pool = this.view(POOL_AT, 16);
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
    const pool = this.view(POOL_AT, 16);
    this.view(page, 4).setUint32(0, pool.getUint32(POOL_FREE, true), true);
    pool.setUint32(POOL_FREE, page, true);
    pool.setUint32(POOL_USED, pool.getUint32(POOL_USED, true) - 1, true);
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

  /** `size` bytes at the end of what is in use. */
  #extend(size: number, purpose: string): number {
    const at = this.#end;
    const missing = at + size - this.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / WASM_PAGE));
      } catch (cause) {
        throw new EtlError('ETL_MEMORY', `The system gives no more memory: ${at} bytes are in use, ${size} more were asked for (${purpose}).`, { cause });
      }
    }
    this.#end = at + size;
    return at;
  }

  #cut(range: Range, size: number): number {
    const { at } = range;
    range.at += size;
    if (range.at === range.end) this.#free.splice(this.#free.indexOf(range), 1);
    return at;
  }

  /** Takes neighbouring pages out of the pool's list of free ones; 0 when there are not enough. Rare: it sorts the list. */
  #slabOfPages(size: number): number {
    const pool = this.view(POOL_AT, 16);
    const all = this.view(0, this.#end);
    const pages: number[] = [];
    for (let page = pool.getUint32(POOL_FREE, true); page !== 0; page = all.getUint32(page, true)) pages.push(page);
    for (let page = pool.getUint32(POOL_NEXT, true); page < pool.getUint32(POOL_END, true); page += PAGE_BYTES) pages.push(page);
    const sorted = Uint32Array.from(pages).sort();
    const count = size / PAGE_BYTES;
    const first = sorted.findIndex((page, i) => sorted[i + count - 1] === page + size - PAGE_BYTES);
    if (first < 0) return 0;
    let head = 0;
    for (let i = sorted.length - 1; i >= 0; i--) {
      if (i >= first && i < first + count) continue;
      all.setUint32(sorted[i]!, head, true);
      head = sorted[i]!;
    }
    pool.setUint32(POOL_FREE, head, true);
    pool.setUint32(POOL_NEXT, 0, true);
    pool.setUint32(POOL_END, 0, true);
    return sorted[first]!;
  }

  get #buffer(): SharedArrayBuffer {
    return this.memory.buffer;
  }
}

function wholePages(bytes: number): number {
  return Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES;
}
