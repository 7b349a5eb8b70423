/** What publishing takes, seen from outside: processes of their own, in both tiers of the encoder. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, test } from 'node:test';
import { ROW_GROUP_BYTES, ROW_GROUP_ROWS } from '../../lib/parquet/stage.ts';
import { WRITE_AHEAD_BYTES } from '../../lib/parquet/write-ahead.ts';
import type { ProbeResult } from './publish-probe.ts';

const MB = 1e6;
const probe = fileURLToPath(new URL('./publish-probe.ts', import.meta.url));

interface Published extends ProbeResult {
  /** WASM functions that V8 compiled a second time. */
  readonly optimized: number;
}

async function publish(tier: string, writesAtOnce: number, shape: readonly number[]): Promise<Published> {
  const args = ['--import', 'tsx', probe, tier, ...[writesAtOnce, ...shape].map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const lines = stdout.trim().split('\n');
  const result = JSON.parse(lines.findLast((line) => line.startsWith('{'))!) as ProbeResult; // V8 may still be writing
  return { ...result, optimized: lines.filter((line) => line.includes('using TurboFan')).length };
}

describe('memory', () => {
  /** Row groups, rows in each, bytes of a user. */
  const shapes = {
    'long users': [40, ROW_GROUP_BYTES / 4096, 4096],
    'many users': [16, ROW_GROUP_ROWS, ROW_GROUP_BYTES / ROW_GROUP_ROWS],
  };
  for (const [name, shape] of Object.entries(shapes)) {
    test(`${name}: the same files from both tiers and whatever is written at once, and no garbage`, async () => {
      const [optimized, baseline] = await Promise.all([publish('optimized', 4, shape), publish('baseline', 1, shape)]);
      assert.deepEqual(baseline.hashes, optimized.hashes);
      for (const { arrayBuffers, wasmBytes, outputBytes } of [optimized, baseline]) {
        assert.ok(outputBytes > 20 * MB, `${outputBytes} bytes written`);
        const [, rows, userBytes] = shape as [number, number, number];
        const most = WRITE_AHEAD_BYTES + rows * (userBytes + 20) + MB;
        assert.ok(arrayBuffers < most, `${arrayBuffers} bytes of array buffers, ${most} are needed`);
        assert.ok(wasmBytes < 16 * MB, `${wasmBytes} bytes of WASM memory`);
      }
      // Node 20 and 24 tell what V8 compiles; should a later one not, there is nothing to compare.
      assert.equal(baseline.optimized, 0, 'in tier baseline, no function is compiled twice');
      if (process.versions.v8 < '14') assert.ok(optimized.optimized > 5, `${optimized.optimized} functions were compiled twice`);
    });
  }
});
