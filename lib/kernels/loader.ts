/**
 * Compiles and instantiates the kernels. Each room with hot loops has one WASM module, `<name>.wasm` beside this file;
 * its contract and its TypeScript twin stand in `twins/<name>.ts`. All instances import one linear memory and keep no
 * state of their own: everything is in structures at addresses that the host passes, so a kernel and its twin can
 * take turns on the same data.
 */
import { readFile } from 'node:fs/promises';
import type { LinearMemory } from './linear-memory.ts';
import { WebAssembly, type WasmModule } from './webassembly.ts';

const compiled = new Map<string, Promise<WasmModule>>();

/** Compiles without waiting for another thread: a kernel takes 0.2 ms, its functions are compiled when they are called. */
function compile(name: string): Promise<WasmModule> {
  let module = compiled.get(name);
  if (!module) {
    module = readFile(new URL(`./${name}.wasm`, import.meta.url)).then((bytes) => new WebAssembly.Module(bytes));
    compiled.set(name, module);
  }
  return module;
}

/**
 * Modules by name, to be posted to another thread, which adopts them: it then has no file to read, and shares the code
 * that any of the threads has compiled so far.
 */
export async function compileKernels(names: readonly string[]): Promise<Record<string, WasmModule>> {
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await compile(name)] as const)));
}

/** Takes what `compileKernels` gave in another thread; call it before the first `loadKernel`. */
export function adoptModules(modules: Readonly<Record<string, WasmModule>>): void {
  for (const [name, module] of Object.entries(modules)) compiled.set(name, Promise.resolve(module));
}

/** Instantiates the module `name` on `memory`. `K` is the contract that its twin also implements. */
export async function loadKernel<K>(name: string, memory: LinearMemory): Promise<K> {
  const instance = await WebAssembly.instantiate(await compile(name), {
    env: {
      memory: memory.memory,
      pool: memory.pool,
      abort: () => {
        throw new Error(`kernel ${name} aborted`);
      },
    },
  });
  return instance.exports as unknown as K;
}
