/** Encoding on other threads, the side of the thread that encodes: see remote-encoder.ts. */
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { WasmModule } from '../kernels/webassembly.ts';
import { RowGroupEncoder, type EncoderOptions } from './encoder.ts';
import { loadWriter } from './parquet-wasm.ts';
import type { EncodeRequest, EncodeResponse } from './remote-encoder.ts';

export interface EncodeTaskOptions extends EncoderOptions {
  /** Of any arena: all of it is read and written. */
  readonly memory: LinearMemory;
  /** What `compileWriter` gave in the main thread. */
  readonly module?: WasmModule | undefined;
  /** Name of each region number; only needed when grouping by user. */
  readonly regions: readonly string[];
}

/** Loads the thread's encoder, always optimized. The task does not wait, and throws ETL_INTERNAL when the writer fails. */
export async function createEncodeTask(options: EncodeTaskOptions): Promise<(request: EncodeRequest) => EncodeResponse> {
  const { memory: { memory }, module, regions: names } = options;
  const encoder = new RowGroupEncoder(await loadWriter('optimized', module), options);
  return ({ rows, totals, counts, offsets, users, userBytes, tops, area, areaBytes }) => {
    const { buffer } = memory;
    const { file, sorted } = encoder.encode({
      rows,
      totals: new BigInt64Array(buffer, totals, rows),
      counts: new BigInt64Array(buffer, counts, rows),
      userOffsets: new Int32Array(buffer, offsets, rows + 1),
      userBytes: new Uint8Array(buffer, users, userBytes),
      topRegions: tops === 0 ? undefined : { numbers: new Uint32Array(buffer, tops, rows), names },
    });
    const { length } = file;
    const fits = length <= areaBytes;
    const target = fits ? new Uint8Array(buffer, area, length) : new Uint8Array(length);
    file.moveTo(target);
    return { length, sorted, ...(!fits && { file: target as Uint8Array<ArrayBuffer> }) };
  };
}
