/** A stand-in until range-files.ts is there: names of regions, but no table. */
import { mkdir } from 'node:fs/promises';
import { openRangeTable, type RangeTableOptions } from '../geo/range-table.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { GeoKernel } from '../kernels/twins/geo.ts';

export async function writeRanges(folder: string, options: RangeTableOptions): Promise<{ type: string; buildDate: string; regions: readonly string[] }> {
  await mkdir(folder, { recursive: true });
  const memory = new LinearMemory();
  const table = await openRangeTable(options, memory, await loadKernel<GeoKernel>('geo', memory));
  table.close();
  return { ...table.database, regions: table.regions };
}
