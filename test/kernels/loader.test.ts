/** Kernels that one thread compiled run in another, on the same memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { adoptModules, compileKernels, loadKernel } from '../../lib/kernels/loader.ts';
import { WebAssembly } from '../../lib/kernels/webassembly.ts';

const NAMES = ['parse', 'geo', 'partition', 'dedup', 'aggregate'];

test('modules are compiled once, by name', async () => {
  const [first, second] = await Promise.all([compileKernels(NAMES), compileKernels(NAMES)]);
  assert.deepEqual(Object.keys(first), NAMES);
  for (const name of NAMES) assert.equal(first[name], second[name]);
});

test('an adopted module is the one that is instantiated', async () => {
  // (module (func (export "adopted") (result i32) i32.const 7))
  const bytes = Buffer.from('0061736d010000000105016000017f03020100070b010761646f7074656400000a0601040041070b', 'hex');
  adoptModules({ adopted: new WebAssembly.Module(bytes) });
  const kernel = await loadKernel<{ adopted(): number }>('adopted', new LinearMemory());
  assert.equal(kernel.adopted(), 7);
});

test('a thread gets modules by workerData and writes to the memory of the thread that compiled them', async () => {
  const memory = new LinearMemory();
  const at = memory.slab(16384, 'test');
  const code = `
    const { parentPort, workerData: { modules, memory, at } } = require('node:worker_threads');
    const imports = (pool) => ({ env: { memory, pool, abort() {} } });
    for (const module of Object.values(modules)) new WebAssembly.Instance(module, imports(0));
    new Uint8Array(memory.buffer)[at] = 42;
    parentPort.postMessage(Object.keys(modules));`;
  const worker = new Worker(code, { eval: true, workerData: { modules: await compileKernels(NAMES), memory: memory.memory, at } });
  const names = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  assert.deepEqual(names, NAMES);
  assert.equal(memory.bytes(at, 1)[0], 42);
});

test('a kernel that is not there is told by the name of its file', async () => {
  await assert.rejects(compileKernels(['nothing']), /nothing\.wasm/);
});
