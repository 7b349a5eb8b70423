/** Whether a dataset of a Spark job is what a local run publishes: the same totals, rejects, description, row for row and byte for byte. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Summary } from '../../lib/index.ts';

/** What both engines say of a run. */
const TOLD = ['rows', 'rejectedBy', 'rejectsFile', 'emptyLines', 'unknownRegion', 'users', 'regions', 'groups', 'valueScale', 'geoDatabase', 'inputs', 'inputBytes', 'bytes'] as const;

/** `[region, user, total, logs]`, sorted; read by DuckDB, whatever wrote it. */
export async function totalsOf(folder: string, groupBy: 'region' | 'user' = 'region'): Promise<unknown[][]> {
  const files = groupBy === 'region' ? '*/*.parquet' : '*.parquet';
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const rows = await connection.runAndReadAll(
      `SELECT geo_region, user_id, CAST(total_watch_time AS VARCHAR), log_count, typeof(total_watch_time)
       FROM read_parquet('${join(folder, files).replaceAll("'", "''")}', hive_types_autocast = false) ORDER BY ALL`,
    );
    return rows.getRows().map((row) => row.map(String));
  } catch (error) {
    if (/No files found/.test(String(error))) return [];
    throw error;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

export async function assertSame(spark: { readonly folder: string; readonly summary: Summary }, local: { readonly folder: string; readonly summary: Summary }, groupBy: 'region' | 'user' = 'region'): Promise<void> {
  for (const name of TOLD) assert.deepEqual(spark.summary[name], local.summary[name], name);
  const [is, should] = await Promise.all([totalsOf(spark.folder, groupBy), totalsOf(local.folder, groupBy)]);
  assert.equal(is.length, should.length, 'rows of the result');
  assert.deepEqual(is, should);
  for (const name of ['_rejects.jsonl', '_rejects.csv']) {
    assert.equal(existsSync(join(spark.folder, name)), existsSync(join(local.folder, name)), name);
    if (existsSync(join(local.folder, name))) assert.equal(readFileSync(join(spark.folder, name), 'utf8'), readFileSync(join(local.folder, name), 'utf8'), name);
  }
  const { files: files, engine, ...described } = descriptionOf(spark.folder);
  const { files: expected, ...wanted } = descriptionOf(local.folder);
  assert.equal(engine, 'spark');
  assert.deepEqual(described, wanted);
  const rowsOf = (list: readonly { path: string; rows: number }[]): Record<string, number> => {
    const rows: Record<string, number> = {};
    for (const { path, rows: n } of list) rows[path.split('/').slice(0, -1).join('/')] = (rows[path.split('/').slice(0, -1).join('/')] ?? 0) + n;
    return rows;
  };
  assert.deepEqual(rowsOf(files), rowsOf(expected));
}

function descriptionOf(folder: string): { files: { path: string; rows: number }[]; engine?: string } {
  return JSON.parse(readFileSync(join(folder, '_etl/dataset.json'), 'utf8')) as { files: { path: string; rows: number }[]; engine?: string };
}
