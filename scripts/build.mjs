// Makes dist/: type-checks, bundles, and puts beside the code what it reads.
//
//   dist/bin/etl-stream.js      the command
//   dist/lib/index.js           the library; its types stand in .d.ts files by the names of the sources, those that it needs
//   dist/lib/thread.js          what a thread runs
//   dist/lib/sql-process.js     what the process of DuckDB runs
//   dist/lib/<name>-<hash>.js   what those share, and what is loaded only when it is needed
//   dist/lib/*.wasm             the kernels
//   dist/lib/report.html        the template of a run's report as a page
//   dist/lib/job/               what the job on Spark is made of: job.py, and its modules as a zip file
//   dist/lib/embedded.table     the range table of the embedded IP database
//   dist/man/etl-stream.1       the man page
//   dist/config.schema.json     the schema of configuration files, for editors
//
// The dashboard's page, dist/lib/dashboard/, is made after it, by build-dashboard.mjs.
//
// Bundled, because Node takes 0.4 ms for every module file, in every thread. Not minified: stack traces keep their names, so there are
// no source maps, which would be as large as the code.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { zipSync } from 'fflate';
import { register } from 'tsx/esm/api';

const tsc = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(/package\.json$/, 'bin/tsc');
rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--emitDeclarationOnly'], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
keepTypesOf('dist/lib/index.d.ts');

await build({
  // A module that a thread or a process runs is one, too.
  entryPoints: { 'bin/etl-stream': 'bin/etl-stream.ts', 'lib/index': 'lib/index.ts', 'lib/thread': 'lib/lanes/thread.ts', 'lib/sql-process': 'lib/sql/process.ts' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.12',
  packages: 'external',
  outdir: 'dist',
  outbase: '.',
  // Directly in lib/: what stands beside a source stands there.
  chunkNames: 'lib/[name]-[hash]',
  logLevel: 'warning',
});
for (const file of readdirSync('lib/kernels')) {
  if (file.endsWith('.wasm')) cpSync(`lib/kernels/${file}`, `dist/lib/${file}`);
}

cpSync('lib/report/report.html', 'dist/lib/report.html');
buildSparkJob();

register(); // what follows runs the sources
const { LinearMemory } = await import('../lib/kernels/linear-memory.ts');
const { loadKernel } = await import('../lib/kernels/loader.ts');
const { openRangeTable } = await import('../lib/geo/range-table.ts');
const { writePrepared } = await import('../lib/geo/prepared-table.ts');
const memory = new LinearMemory();
writePrepared('dist/lib/embedded.table', await openRangeTable({}, memory, await loadKernel('geo', memory)), memory);

mkdirSync('dist/man', { recursive: true });
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const { program } = await import('../lib/cli/options/table.ts');
const { manPage } = await import('../lib/cli/man.ts');
const { configJsonSchema } = await import('../lib/cli/options/config-schema.ts');
writeFileSync('dist/man/etl-stream.1', manPage(program, version));
writeFileSync('dist/config.schema.json', `${JSON.stringify(configJsonSchema(), null, 2)}\n`);

chmodSync('dist/bin/etl-stream.js', 0o755);

/** The modules of the job on Spark as one file, of the same bytes for the same sources, beside its sources and in dist/. */
function buildSparkJob() {
  const folder = 'lib/spark/job/etl_stream_spark';
  const files = [
    ...readdirSync(folder).filter((name) => name.endsWith('.py')).map((name) => [name, `${folder}/${name}`]),
    ['report.html', 'lib/report/report.html'],
  ].sort(([a], [b]) => (a < b ? -1 : 1));
  const entries = Object.fromEntries(files.map(([name, path]) => [`etl_stream_spark/${name}`, readFileSync(path)]));
  writeFileSync(`${folder}.zip`, zipSync(entries, { level: 9, mtime: new Date(1980, 0, 1), os: 3, attrs: 0o644 << 16 }));
  mkdirSync('dist/lib/job', { recursive: true });
  for (const name of ['job.py', 'etl_stream_spark.zip']) cpSync(`lib/spark/job/${name}`, `dist/lib/job/${name}`);
}

/** Removes the types that the library's own do not refer to: five of six files. */
function keepTypesOf(entry) {
  const needed = new Set();
  const visit = (file) => {
    if (needed.has(file)) return;
    needed.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, path] of text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*['"](\.[^'"]+)\.ts['"]/g)) visit(join(dirname(file), `${path}.d.ts`));
  };
  visit(entry);
  for (const name of readdirSync('dist', { recursive: true })) {
    const file = join('dist', name);
    if (file.endsWith('.d.ts') && !needed.has(file)) rmSync(file);
  }
}
