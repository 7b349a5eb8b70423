/**
 * libzstd, as `zstddec` has it compiled to WASM, called by its exports: the package's own functions pass errors over. One
 * instance serves the process; every stream has a context and buffers in its memory, which grows to what all need at a time.
 */
import { EtlError } from '../core/errors.ts';

/** Compressed data that a stream has at a time; at least a frame's header. */
const INPUT_BYTES = 64 << 10;
/** Of output that is copied at a time: a block's. */
const OUTPUT_BYTES = 128 << 10;
/** ZSTD_inBuffer and ZSTD_outBuffer: pointer, size, position. */
const BUFFER_WORDS = 3;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  free(at: number): void;
  ZSTD_createDCtx(): number;
  ZSTD_freeDCtx(context: number): number;
  ZSTD_decompressStream(context: number, output: number, input: number): number;
}

type Instantiated = Parameters<InstanceType<typeof import('zstddec/stream').ZSTDDecoder>['_init']>[0];

let loading: Promise<Exports> | undefined;

export async function loadZstd(): Promise<ZstdStream> {
  return new ZstdStream(await (loading ??= load()));
}

async function load(): Promise<Exports> {
  const { ZSTDDecoder } = await import('zstddec/stream');
  let exports: Exports | undefined;
  class Library extends ZSTDDecoder {
    override _init = (result: Instantiated): void => {
      super._init(result);
      exports = result.instance.exports as unknown as Exports;
    };
  }
  // Where there is `fetch` it would decode a data: URL by it, and with it load 14 MB of a client for HTTP.
  const { fetch } = globalThis;
  let done;
  try {
    (globalThis as { fetch: unknown }).fetch = undefined;
    done = new Library().init();
  } finally {
    globalThis.fetch = fetch;
  }
  await done;
  if (!exports) throw new EtlError('ETL_INTERNAL', 'The Zstandard library was initialised by somebody else.');
  return exports;
}

/** How far one step came: it needs more input, has more output than there was room, ended a frame; or an error, by its number. */
export type ZstdState = 'needs more' | 'has more' | 'frame ended' | number;

export class ZstdStream {
  readonly #library: Exports;
  readonly #context: number;
  readonly #input: number;
  readonly #output: number;
  readonly #buffers: number;
  /** Bytes of input that are there, from `#from` on. */
  #from = 0;
  #length = 0;
  #bytes!: Uint8Array;
  #words!: Uint32Array;
  readonly #piece = new Uint8Array(INPUT_BYTES);
  #freed = false;

  constructor(library: Exports) {
    this.#library = library;
    this.#context = library.ZSTD_createDCtx();
    this.#input = library.malloc(INPUT_BYTES);
    this.#output = library.malloc(OUTPUT_BYTES);
    this.#buffers = library.malloc(4 * 2 * BUFFER_WORDS);
    if ([this.#context, this.#input, this.#output, this.#buffers].includes(0)) throw new EtlError('ETL_MEMORY', 'No room for a Zstandard decoder.');
    this.#look();
  }

  /** What was given and not used. */
  get input(): Uint8Array {
    this.#look();
    return this.#bytes.subarray(this.#input + this.#from, this.#input + this.#from + this.#length);
  }

  /** Where to put more input, as much as there is room for: memory that stays where it is. */
  get room(): Uint8Array {
    return this.#piece.subarray(0, INPUT_BYTES - this.#length);
  }

  give(bytes: Uint8Array): void {
    this.#look();
    this.#bytes.copyWithin(this.#input, this.#input + this.#from, this.#input + this.#from + this.#length);
    this.#bytes.set(bytes, this.#input + this.#length);
    this.#from = 0;
    this.#length += bytes.length;
  }

  /** Decompresses to `target`, from its start. A frame has ended when all of it was given, too. */
  decompress(target: Uint8Array): { given: number; state: ZstdState } {
    this.#look();
    const [input, output] = [this.#buffers / 4, this.#buffers / 4 + BUFFER_WORDS];
    const room = Math.min(OUTPUT_BYTES, target.length);
    this.#words.set([this.#input + this.#from, this.#length, 0, this.#output, room, 0], input);
    const result = this.#library.ZSTD_decompressStream(this.#context, 4 * output, 4 * input) >>> 0;
    this.#look();
    const [used, given] = [this.#words[input + 2]!, this.#words[output + 2]!];
    this.#from += used;
    this.#length -= used;
    target.set(this.#bytes.subarray(this.#output, this.#output + given));
    if (result > 2 ** 32 - 128) return { given, state: 2 ** 32 - result };
    return { given, state: result === 0 ? 'frame ended' : given < room && this.#length === 0 ? 'needs more' : 'has more' };
  }

  /** Idempotent. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    const library = this.#library;
    library.ZSTD_freeDCtx(this.#context);
    for (const at of [this.#input, this.#output, this.#buffers]) library.free(at);
  }

  /** The memory as it is now: it has another buffer when it has grown, for whatever stream. */
  #look(): void {
    const { buffer } = this.#library.memory;
    if (this.#bytes?.buffer === buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
  }
}
