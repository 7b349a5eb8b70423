/** Thousands of mutated databases, in processes of their own: none hangs, ends its process, or gives wrong answers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '../temporary.ts';
import type { Outcome } from './mutants.ts';

const PROGRAM = fileURLToPath(new URL('./mutants.ts', import.meta.url));
const TIMES = Number(process.env.ETL_GEO_MUTANTS ?? 1);

for (const [base, seed, rounds] of [['city', 91, 1600], ['isp', 92, 1600], ['embedded', 93, 24]] as const) {
  test(`mutants of ${base}: refused, or a table that answers like maxmind`, async (t) => {
    const folder = temporaryFolder(t);
    const args = ['--max-old-space-size=256', '--import', 'tsx', PROGRAM, base, String(seed), String(rounds * TIMES), folder];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 * TIMES, killSignal: 'SIGKILL' }).catch((cause: unknown) => {
      throw new Error(`${base}, seed ${seed}, round ${readFileSync(join(folder, 'round'), 'utf8')}`, { cause });
    });
    const { opened, refused, slowest } = JSON.parse(stdout) as Outcome;
    t.diagnostic(`seed ${seed}: ${opened} opened, ${refused} refused, the slowest took ${slowest.seconds.toFixed(3)} s, round ${slowest.round}`);
    assert.equal(opened + refused, rounds * TIMES);
    assert.ok(opened > rounds / 20 && refused > rounds / 20, `${opened} opened, ${refused} refused`);
  });
}
