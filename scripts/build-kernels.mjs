// Compiles every entry in lib/kernels/assembly/entry/ to lib/kernels/<name>.wasm. Usage: node scripts/build-kernels.mjs [name ...]
import { readdirSync } from 'node:fs';
import asc from 'assemblyscript/asc';

const entries = 'lib/kernels/assembly/entry';
const all = readdirSync(entries).filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -3));
const names = process.argv.length > 2 ? process.argv.slice(2) : all;

for (const name of names) {
  const { error, stderr } = await asc.main([
    `${entries}/${name}.ts`,
    '--outFile', `lib/kernels/${name}.wasm`,
    '--runtime', 'stub',
    '--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536',
    '--enable', 'simd', '--enable', 'threads',
    '--optimizeLevel', '3', '--shrinkLevel', '0', '--converge', '--noAssert',
  ]);
  if (error) {
    process.stderr.write(`${name}: ${stderr.toString()}\n`);
    process.exit(1);
  }
}
