/**
 * The one linear memory (shared, imported by every kernel) and who owns which part of it.
 *
 *   0      64 KiB           slabs and page extents, in the order they were asked for
 *   [control][slab][pages 1 MiB][pages 1 MiB][slab] ...
 *
 * A slab is a contiguous area for one owner. The pool hands out 16 KiB pages (kernels take them themselves, see
 * assembly/pages.ts); a slab that is given back becomes pages. Memory never shrinks, so what is given back is reused,
 * and address space is at most 4 GiB, of which only touched pages are resident.
 */
import { EtlError } from '../core/errors.ts';
import { WebAssembly, type WasmMemory } from './webassembly.ts';
import { FIRST_FREE_AT, PAGE_BYTES, POOL_AT, POOL_END, POOL_FREE, POOL_NEXT, POOL_USED } from './layout.ts';

const WASM_PAGE = 65536;
/** What one refill adds: small against any budget, large against the cost of growing. */
const EXTENT_BYTES = 1 << 20;
const MAX_WASM_PAGES = 65536;

export class LinearMemory {
  readonly memory: WasmMemory;
  readonly #limit: number;
  #end = FIRST_FREE_AT;

  /** `limit`: bytes of linear memory that may be handed out, at most 4 GiB less one WASM page. */
  constructor(limit: number = (MAX_WASM_PAGES - 1) * WASM_PAGE) {
    this.#limit = Math.min(limit, (MAX_WASM_PAGES - 1) * WASM_PAGE);
    try {
      this.memory = new WebAssembly.Memory({ initial: FIRST_FREE_AT / WASM_PAGE, maximum: MAX_WASM_PAGES, shared: true });
    } catch (cause) {
      throw new EtlError('ETL_MEMORY', 'The system does not give this process 4 GiB of address space.', {
        cause,
        hint: 'Address space costs no memory. Raise its limit: ulimit -v unlimited',
      });
    }
  }

  /** Bytes handed out so far, slabs and extents together. */
  get size(): number {
    return this.#end;
  }

  /** Pages that someone holds. */
  get pagesInUse(): number {
    return this.view(POOL_AT + POOL_USED, 4).getUint32(0, true);
  }

  /** A contiguous area of at least `bytes`, aligned to a page. It was never used before, so it is zeroed. */
  slab(bytes: number, purpose: string): number {
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    const at = this.#end;
    if (at + size > this.#limit) {
      throw new EtlError('ETL_MEMORY', `No room for ${size} bytes of linear memory (${purpose}): ${at} of ${this.#limit} are in use.`);
    }
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

  /** Throws ETL_INTERNAL unless the area was handed out. Host wrappers check what they pass to a kernel with it. */
  assertHolds(at: number, bytes: number, what: string): void {
    if (Number.isInteger(at) && Number.isInteger(bytes) && at >= FIRST_FREE_AT && bytes >= 0 && at + bytes <= this.#end) return;
    throw new EtlError('ETL_INTERNAL', `${what} at ${at}, ${bytes} bytes, is not inside linear memory (${FIRST_FREE_AT} to ${this.#end}).`);
  }

  /** Turns a slab of `bytes`, as asked for, into free pages. */
  giveSlab(at: number, bytes: number): void {
    const pool = this.view(POOL_AT, 16);
    for (let page = at; page < at + bytes; page += PAGE_BYTES) {
      this.view(page, 4).setUint32(0, pool.getUint32(POOL_FREE, true), true);
      pool.setUint32(POOL_FREE, page, true);
    }
  }

  /** Gives the pool a new extent. Call when a kernel found it empty. Throws ETL_MEMORY at the limit. */
  refillPool(): void {
    const pool = this.view(POOL_AT, 16);
    if (pool.getUint32(POOL_FREE, true) !== 0 || pool.getUint32(POOL_NEXT, true) !== pool.getUint32(POOL_END, true)) return;
    const at = this.slab(EXTENT_BYTES, 'pages');
    pool.setUint32(POOL_NEXT, at, true);
    pool.setUint32(POOL_END, at + EXTENT_BYTES, true);
  }

  /** A page, refilling as needed; aligned to PAGE_BYTES, like every page. */
  takePage(): number {
    this.refillPool();
    return this.takePageIfAny();
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
    this.giveSlab(page, PAGE_BYTES);
    const pool = this.view(POOL_AT, 16);
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

  get #buffer(): SharedArrayBuffer {
    return this.memory.buffer;
  }
}
