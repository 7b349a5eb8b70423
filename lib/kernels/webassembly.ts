/**
 * The part of the WebAssembly API that is used here. @types/node leaves its types to the DOM library, which we do not
 * load; declaring the global ourselves would collide with it where users do.
 */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

export interface WasmModule {
  readonly [Symbol.toStringTag]: 'WebAssembly.Module';
}

interface WasmApi {
  Memory: new (descriptor: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  Module: new (bytes: Uint8Array) => WasmModule;
  instantiate(module: WasmModule, imports: Record<string, Record<string, unknown>>): Promise<{ exports: Readonly<Record<string, unknown>> }>;
}

export const WebAssembly = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
