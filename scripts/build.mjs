// Type-checks and emits dist/, and puts the compiled kernels beside their loader there.
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync, chmodSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const tsc = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(/package\.json$/, 'bin/tsc');
rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
for (const file of readdirSync('lib/kernels')) {
  if (file.endsWith('.wasm')) cpSync(`lib/kernels/${file}`, `dist/lib/kernels/${file}`);
}
chmodSync('dist/bin/etl-stream.js', 0o755);
