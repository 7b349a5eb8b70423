/**
 * DuckDB over one snapshot, locked: it reads the snapshot's Parquet files and its rejects, and nothing else; it writes to its folder for
 * spilling and the files that exports are to go to, where there are such. Its parts stand in relative names, of the process's working folder, so
 * that no character of the folder's own name means anything.
 */
import { lstat, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { literal, inputsAndRuns, rejectsView, watchTimeView } from './views.ts';
import type { Limits, QuerySource } from './source.ts';

type DuckDB = typeof import('@duckdb/node-api');

/** Not there, and nothing is looked for in it. */
const NOWHERE = '/nonexistent';
/** Of the process besides what DuckDB counts: results on their way, the parser, and what it goes beyond its own limit by, which is more where that is more. */
const MARGIN_BYTES = 40 << 20;
const MARGIN_SHARE = 0.05;
const LEAST_BYTES = 48 << 20;

/** Throws what DuckDB throws. `exportFiles`: absolute. */
export async function openEngine(duckdb: DuckDB, source: QuerySource, limits: Limits, exportFiles: readonly string[]): Promise<DuckDBInstance> {
  const instance = await duckdb.DuckDBInstance.create(':memory:', { threads: String(limits.threads) });
  const connection = await instance.connect();
  const memory = Math.max(LEAST_BYTES, limits.memory * (1 - MARGIN_SHARE) - process.memoryUsage.rss() - MARGIN_BYTES);
  const files = await filesInside(source.folder, source.files);
  const rejects = source.rejects && (await filesInside(source.folder, [source.rejects.path])).length > 0 ? source.rejects : undefined;
  const readable = [...files, ...(rejects ? [rejects.path] : []), ...exportFiles];
  await runAll(connection, [
    `SET memory_limit = ${literal(`${Math.floor(memory / 1024)}KiB`)}`,
    `SET temp_directory = ${literal(limits.temp ?? '')}`,
    ...(limits.tempBytes === undefined ? [] : [`SET max_temp_directory_size = ${literal(`${Math.floor(limits.tempBytes / 1024)}KiB`)}`]),
    ...['home_directory', 'extension_directory', 'secret_directory'].map((name) => `SET ${name} = ${literal(NOWHERE)}`),
    'SET allow_persistent_secrets = false',
    'SET parquet_metadata_cache = true',
    `SET TimeZone = 'UTC'`,
    `SET allowed_paths = [${readable.map(literal).join(', ')}]`,
    watchTimeView({ ...source, files }),
    rejectsView(rejects),
  ]);
  await inputsAndRuns(duckdb, connection, source);
  await runAll(connection, [
    ...['autoinstall_known_extensions', 'autoload_known_extensions', 'allow_community_extensions', 'allow_unsigned_extensions', 'enable_external_access'].map((name) => `SET ${name} = false`),
    'SET lock_configuration = true',
  ]);
  connection.closeSync();
  return instance;
}

async function runAll(connection: DuckDBConnection, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await connection.run(statement);
}

/** Those that are regular files where their names say, not by a link. */
async function filesInside(folder: string, names: readonly string[]): Promise<string[]> {
  const inside: string[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const isThere = await lstat(path).then((info) => info.isFile(), () => false);
    if (isThere && path.startsWith(join(folder, '/')) && await realpath(path) === path) inside.push(name);
  }
  return inside;
}
