/**
 * The Apache Rust Parquet writer compiled to WASM (parquet-wasm), by its exports: input is laid out in its memory and
 * output is read there. Its JavaScript API would leave copies of every row group to the garbage collector, outside of
 * the heap, where tens of megabytes gather before it looks.
 *
 * One module a process, which is posted to other threads together with whatever code V8 has made of it so far; one
 * instance a thread, with a memory of its own: 12 MB, once it has encoded a large row group.
 *
 * Tiers. V8 compiles a WASM function when it is first called, without optimizing, and counts in it how hot it is; a hot
 * one is compiled again, for speed (1.5 to 2.5 times), which costs 15 to 35 MB for a while. `baseline` leaves the
 * counters out. Flags for that are looked at when a function is compiled the first time, which is during a call, on
 * this thread: so they are off while the module is made and during every call (10 us for both), and on again whenever one
 * of our own kernels can run. V8 11.3 (Node 20) and 13.6 (Node 24) do it this way; a test compares the memory of both.
 * Flags are those of the process, not of the thread, so `baseline` is for the main thread alone.
 */
import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import type { InitOutput } from 'parquet-wasm/esm/parquet_wasm.js';
import { EtlError } from '../core/errors.ts';
import { WebAssembly, type WasmModule } from '../kernels/webassembly.ts';

export type EncoderTier = 'baseline' | 'optimized';

/**
 * How much of a function runs before V8 compiles it again (about bytes of code run through). With V8's own number, a third
 * of all that encoding the 2 million rows of 1 GB takes is compiling: 0.67 s of CPU, 0.50 with this one.
 */
const WRITER_TIERING_BUDGET = 50_000_000;
/** For all other modules, our kernels: V8 11.3's own number. */
const TIERING_BUDGET = 1_800_000;

let compiling: Promise<WasmModule> | undefined;
let loading: Promise<ParquetWasm> | undefined;
/**
 * What the module was read into: 5 MB that V8 has copied. Freed, glibc would from then on keep up to twice as much
 * free memory for every block of that size (its thresholds are dynamic); so it is used for something else.
 */
let spare: Uint8Array<ArrayBuffer> | undefined;

/** Compiles the writer (5 ms, more with every function's first call), once a process: the first call decides the tier. */
export function compileWriter(tier: EncoderTier = 'optimized'): Promise<WasmModule> {
  return (compiling ??= compile(tier));
}

/**
 * The thread's instance, in the tier of the first call. Another thread than the main one is given the `module` that there
 * is; throws ETL_INTERNAL when it asks for `baseline`.
 */
export function loadWriter(tier: EncoderTier = 'optimized', module?: WasmModule): Promise<ParquetWasm> {
  if (tier === 'baseline' && !isMainThread) {
    throw new EtlError('ETL_INTERNAL', 'A thread cannot have an encoder of a tier of its own: V8 has one set of flags for all.');
  }
  return (loading ??= load(tier, module));
}

/** A buffer to use until it is given back; undefined when another has it, or there is none. */
export function takeSpare(): Uint8Array<ArrayBuffer> | undefined {
  const taken = spare;
  spare = undefined;
  return taken;
}

export function giveSpare(taken: Uint8Array<ArrayBuffer>): void {
  spare = taken;
}

async function compile(tier: EncoderTier): Promise<WasmModule> {
  const file = await readFile(new URL(import.meta.resolve('parquet-wasm/esm/parquet_wasm_bg.wasm')));
  const module = inTier(tier, () => newModule(file));
  spare = file;
  return module;
}

/** At once, so that the flags are nobody else's. Functions are validated when they are compiled: 5 ms instead of 20. */
function newModule(file: Uint8Array): WasmModule {
  setFlagsFromString('--wasm-lazy-validation');
  setFlagsFromString(`--wasm-tiering-budget=${WRITER_TIERING_BUDGET}`);
  try {
    return new WebAssembly.Module(file);
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`);
    setFlagsFromString('--no-wasm-lazy-validation');
  }
}

async function load(tier: EncoderTier, given: WasmModule | undefined): Promise<ParquetWasm> {
  const [bindings, module] = await Promise.all([import('parquet-wasm/esm/parquet_wasm.js'), given ?? compileWriter(tier)]);
  return new ParquetWasm(inTier(tier, () => bindings.initSync({ module })), tier);
}

/** Builds what `write` takes: an immutable list of settings, in the writer's memory. */
export type Settings = (wasm: InitOutput, text: (value: string) => [at: number, bytes: number]) => number;

export class ParquetWasm {
  readonly tier: EncoderTier;
  readonly #wasm: InitOutput;

  constructor(wasm: InitOutput, tier: EncoderTier) {
    this.#wasm = wasm;
    this.tier = tier;
  }

  /** Bytes of its memory, which never shrinks. */
  get memoryBytes(): number {
    return this.#wasm.memory.buffer.byteLength;
  }

  /**
   * Encodes an Arrow IPC stream of `bytes` bytes, which `fill` writes, as a Parquet file. Throws what the writer says.
   */
  write(bytes: number, fill: (stream: Uint8Array) => void, settings: Settings): WrittenFile {
    return inTier(this.tier, () => {
      const wasm = this.#wasm;
      const stream = wasm.__wbindgen_malloc(bytes, 1) >>> 0;
      fill(new Uint8Array(wasm.memory.buffer, stream, bytes));
      const [table, tableError, noTable] = wasm.table_fromIPCStream(stream, bytes); // frees the stream
      if (noTable) throw this.#taken(tableError);
      const [at, length, error, failed] = wasm.writeParquet(table, settings(wasm, this.#text)); // frees both
      if (failed) throw this.#taken(error);
      return new WrittenFile(wasm, this.tier, at >>> 0, length >>> 0);
    });
  }

  /** A string where an export expects it, which frees it. */
  readonly #text = (value: string): [number, number] => {
    const bytes = Buffer.from(value);
    const at = this.#wasm.__wbindgen_malloc(bytes.length, 1) >>> 0;
    new Uint8Array(this.#wasm.memory.buffer, at, bytes.length).set(bytes);
    return [at, bytes.length];
  };

  /** An error that the writer left in its table. */
  #taken(index: number): unknown {
    const error: unknown = this.#wasm.__wbindgen_externrefs.get(index);
    this.#wasm.__externref_table_dealloc(index);
    return error;
  }
}

/** A file in the writer's memory, until `moveTo`. */
export class WrittenFile {
  readonly length: number;
  readonly #wasm: InitOutput;
  readonly #tier: EncoderTier;
  readonly #at: number;

  constructor(wasm: InitOutput, tier: EncoderTier, at: number, length: number) {
    this.#wasm = wasm;
    this.#tier = tier;
    this.#at = at;
    this.length = length;
  }

  /** A view of it; good until the writer is called again. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#wasm.memory.buffer, this.#at, this.length);
  }

  /** Copies the file to where it is to live and frees it here. Call it once. */
  moveTo(target: Uint8Array): void {
    target.set(this.bytes);
    inTier(this.#tier, () => this.#wasm.__wbindgen_free(this.#at, this.length, 1));
  }
}

/** Runs `work`, which must not wait, so that no WASM function compiled meanwhile is ever optimized in tier `baseline`. */
function inTier<T>(tier: EncoderTier, work: () => T): T {
  if (tier === 'optimized') return work();
  setFlagsFromString('--no-wasm-dynamic-tiering');
  setFlagsFromString('--no-wasm-tier-up');
  try {
    return work();
  } finally {
    setFlagsFromString('--wasm-dynamic-tiering');
    setFlagsFromString('--wasm-tier-up');
  }
}
