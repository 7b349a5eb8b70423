/** A thread that encodes: says that it is ready, then answers each request with its number. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { LinearMemory, type Arena } from '../../lib/kernels/linear-memory.ts';
import type { WasmModule } from '../../lib/kernels/webassembly.ts';
import { createEncodeTask } from '../../lib/parquet/encode-task.ts';
import type { EncoderOptions } from '../../lib/parquet/encoder.ts';
import { loadWriter } from '../../lib/parquet/parquet-wasm.ts';
import type { EncodeRequest, EncodeResponse } from '../../lib/parquet/remote-encoder.ts';

export interface ThreadData extends EncoderOptions {
  readonly arena: Arena;
  readonly module: WasmModule;
  readonly regions: readonly string[];
}

export type Answer = { readonly id: number } & ({ readonly response: EncodeResponse } | { readonly error: string });

const { arena, ...options } = workerData as ThreadData;
assert.throws(() => loadWriter('baseline', options.module), { code: 'ETL_INTERNAL' });
const encode = await createEncodeTask({ ...options, memory: new LinearMemory(arena) });
parentPort!.on('message', ({ id, request }: { id: number; request: EncodeRequest }) => {
  try {
    parentPort!.postMessage({ id, response: encode(request) } satisfies Answer);
  } catch (error) {
    parentPort!.postMessage({ id, error: String(error) } satisfies Answer);
  }
});
