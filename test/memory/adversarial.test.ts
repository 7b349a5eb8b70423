/**
 * The promise of --memory, kept by whole processes of the built program: hostile inputs at 128 MB. Each proves that it
 * took the path it is for.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Summary } from '../../lib/index.ts';
import { start } from '../cli/program.ts';
import { temporaryFolder } from '../temporary.ts';
import { adversaries } from './adversarial.ts';

const LIMIT = 128e6;

describe('hostile inputs at 128 MB', () => {
  for (const { name, args = [], input, rows, groups, each, took } of adversaries()) {
    test(name, async (context) => {
      const folder = temporaryFolder(context);
      const { child, result } = start(['--no-state', '-o', 'totals', '--temp', 'temp', '--memory', '128MB', '--json', '--max-rejects', '100%', ...args], folder);
      child.stdin!.on('error', () => undefined); // the exit code says more
      for await (const piece of input()) {
        if (child.stdin!.destroyed) break;
        if (!child.stdin!.write(piece)) await Promise.race([once(child.stdin!, 'drain'), once(child, 'close')]);
      }
      child.stdin!.end();
      const { code, stdout, stderr } = await result;
      assert.equal(code, 0, stderr);
      const summary = JSON.parse(stdout) as Summary;
      const { read, duplicates, rejected } = summary.rows;
      assert.deepEqual({ read, duplicates, rejected }, rows);
      if (groups !== undefined) assert.equal(summary.groups, groups);
      for (const [path, taken] of Object.entries(took(summary))) assert.ok(taken, `${path}: ${stdout}`);
      assert.ok(summary.memory.peakRss <= LIMIT, `peak RSS ${summary.memory.peakRss / 1e6} MB, with ${JSON.stringify(summary.spill)}`);
      assert.deepEqual(await judge(join(folder, 'totals'), each), { rows: summary.groups, wrong: 0 });
      assert.deepEqual(readdirSync(folder), ['totals'], 'nothing is left behind');
    });
  }
});

/** Rows of a published result, and those of which `each` is not true. */
async function judge(folder: string, each: string): Promise<{ rows: number; wrong: number }> {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '4GB' });
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(`
    WITH result AS (SELECT * FROM read_parquet('${folder}/**/*.parquet'))
    SELECT count(*), count(*) FILTER (WHERE (${each}) IS NOT TRUE) FROM result`);
  const [rows, wrong] = reader.getRows()[0]!.map(Number) as [number, number];
  connection.closeSync();
  instance.closeSync();
  return { rows, wrong };
}
