/** The map in lib/README.md, held: core <- machinery (kernels, spill) <- stages <- pipeline <- index <- cli, and no stage imports another. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const LIB = resolve(import.meta.dirname, '../lib');
const STAGES = ['source', 'parse', 'geo', 'partition', 'dedup', 'aggregate', 'merge', 'parquet'];

/** Room -> rooms it may import, besides itself. Files directly in lib/ are rooms of their own. */
const ALLOWED: Record<string, readonly string[]> = {
  core: [],
  kernels: ['core'],
  spill: ['core', 'kernels'],
  ...Object.fromEntries(STAGES.map((stage) => [stage, ['core', 'kernels', 'spill']])),
  workers: ['core'],
  state: ['core'],
  lanes: ['core', 'kernels', 'spill', 'workers', ...STAGES],
  dataset: ['core'],
  generate: ['core'],
  'progress.ts': ['core'],
  'summary.ts': ['core', 'progress.ts'],
  page: ['core'],
  report: ['core', 'kernels', 'page', 'progress.ts', 'summary.ts'],
  sql: ['core', 'workers'],
  spark: ['core', 'kernels', 'geo', 'parquet', 'source', 'parse', 'progress.ts', 'summary.ts'],
  pipeline: ['core', 'kernels', 'spill', ...STAGES, 'lanes', 'dataset', 'state', 'report', 'sql', 'spark', 'progress.ts', 'summary.ts'],
  dashboard: ['core', 'page', 'report', 'sql', 'pipeline'],
  'index.ts': ['core', 'parse', 'generate', 'progress.ts', 'summary.ts', 'report', 'sql', 'spark', 'pipeline', 'dashboard'],
  cli: ['core', 'generate', 'index.ts'],
};

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.ts$/.test(entry.name)) yield path;
  }
}

function room(path: string): string {
  return relative(LIB, path).split(/[\\/]/)[0]!;
}

/** Relative imports of every form: static, re-export, type, dynamic, import.meta.resolve. */
export function relativeImports(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport|\bimport\s*\(|\bresolve\s*\()\s*(['"])(\.{1,2}\/[^'"]*)\1/g)].map((match) => match[2]!);
}

test('imports run one way', () => {
  let seen = 0;
  for (const file of sources(LIB)) {
    for (const specifier of relativeImports(readFileSync(file, 'utf8'))) {
      const target = resolve(dirname(file), specifier);
      assert.ok(target.startsWith(LIB), `${relative(LIB, file)} imports ${specifier}, which is outside lib/`);
      const [from, to] = [room(file), room(target)];
      seen++;
      if (from === to) continue;
      const allowed = ALLOWED[from];
      assert.ok(allowed, `${relative(LIB, file)} is in no room of the map`);
      assert.ok(allowed.includes(to), `${relative(LIB, file)} imports ${specifier}: ${from} may import ${allowed.join(', ') || 'nothing'}`);
    }
  }
  assert.ok(seen > 50, `only ${seen} imports were found: the scan is broken`);
});

test('the scan sees every form of import', () => {
  const forms = `import a from './a.ts'; import type { B } from "../b.ts"; export * from './c.ts'; await import('./d.ts'); import './e.ts'; import.meta.resolve('./f')`;
  assert.deepEqual(relativeImports(forms), ['./a.ts', '../b.ts', './c.ts', './d.ts', './e.ts', './f']);
});
