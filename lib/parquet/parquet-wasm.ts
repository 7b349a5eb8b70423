/**
 * The Apache Rust Parquet writer compiled to WASM (parquet-wasm), by its exports: input is laid out in its memory and
 * output is read there. Its JavaScript API would leave copies of every row group to the garbage collector, outside of
 * the heap, where tens of megabytes gather before it looks.
 *
 * Tiers. V8 compiles a WASM function when it is first called, without optimizing, and counts in it how hot it is; a hot
 * one is compiled again, for speed (1.5 to 2.5 times), which costs 15 to 35 MB for a while. `baseline` leaves the
 * counters out. Flags for that are looked at when a function is compiled the first time, which is during a call, on
 * this thread: so they are off while the module is made and during every call (10 us for both), and on again whenever one
 * of our own kernels can run. V8 11.3 (Node 20) and 13.6 (Node 24) do it this way; a test compares the memory of both.
 */
import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import type { InitOutput } from 'parquet-wasm/esm/parquet_wasm.js';

export type EncoderTier = 'baseline' | 'optimized';

let loading: Promise<ParquetWasm> | undefined;

/**
 * Compiles the writer (20 ms), once a process: there is one instance, and the first call decides its tier, whatever
 * later ones ask for. It then has 12 MB, and keeps the memory of its largest row group.
 */
export function loadWriter(tier: EncoderTier = 'optimized'): Promise<ParquetWasm> {
  return (loading ??= load(tier));
}

async function load(tier: EncoderTier): Promise<ParquetWasm> {
  const [bindings, file] = await Promise.all([
    import('parquet-wasm/esm/parquet_wasm.js'),
    readFile(new URL(import.meta.resolve('parquet-wasm/esm/parquet_wasm_bg.wasm'))),
  ]);
  const wasm = inTier(tier, () => bindings.initSync({ module: file }));
  return new ParquetWasm(wasm, tier, file);
}

/** Builds what `write` takes: an immutable list of settings, in the writer's memory. */
export type Settings = (wasm: InitOutput, text: (value: string) => [at: number, bytes: number]) => number;

export class ParquetWasm {
  readonly tier: EncoderTier;
  readonly #wasm: InitOutput;
  /**
   * What the module was read into: 5 MB that V8 has copied. Freed, glibc would from then on keep up to twice as much
   * free memory for every block of that size (its thresholds are dynamic); so it is used for something else.
   */
  #spare: Uint8Array<ArrayBuffer> | undefined;

  constructor(wasm: InitOutput, tier: EncoderTier, spare: Uint8Array<ArrayBuffer>) {
    this.#wasm = wasm;
    this.tier = tier;
    this.#spare = spare;
  }

  /** A buffer to use until it is given back; undefined when another has it. */
  takeSpare(): Uint8Array<ArrayBuffer> | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare;
  }

  giveSpare(spare: Uint8Array<ArrayBuffer>): void {
    this.#spare = spare;
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

  /** Copies the file to where it is to live and frees it here. Call it once. */
  moveTo(target: Uint8Array): void {
    target.set(new Uint8Array(this.#wasm.memory.buffer, this.#at, this.length));
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
