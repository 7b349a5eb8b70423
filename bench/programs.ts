/** What is measured, and where it writes: paths. */
import { fileURLToPath } from 'node:url';

export const etlStream = fileURLToPath(new URL('../dist/bin/etl-stream.js', import.meta.url));
export const duckdb = fileURLToPath(new URL('peers/duckdb.mjs', import.meta.url));
export const outputs = fileURLToPath(new URL('data/output/', import.meta.url));
