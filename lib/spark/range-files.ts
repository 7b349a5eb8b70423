/**
 * The IP database as files that a Spark job joins addresses with (job/etl_stream_spark/address.py):
 *
 *   ranges.json             format, type and build date of the database; the halvings that its largest bucket takes; aliases
 *   buckets/part-*.parquet  bucket, first, low, region (range-buckets.ts), by bucket
 *
 * The same database, field and version of the writer give the same bytes. Takes what `openRangeTable` takes, and some 60 bytes
 * a range.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';
import { listRanges4, listRanges6 } from '../geo/list-ranges.ts';
import { openRangeTable, type RangeTable, type RangeTableOptions } from '../geo/range-table.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { GeoKernel } from '../kernels/twins/geo.ts';
import { ArrowIpc } from '../parquet/arrow-ipc.ts';
import { loadWriter, type ParquetWasm } from '../parquet/parquet-wasm.ts';
import { plainSettings } from '../parquet/writer-settings.ts';
import { resolveAliases } from './alias-ranges.ts';
import { rangeBuckets, type Buckets, type Part } from './range-buckets.ts';

export interface WrittenRanges {
  readonly type: string;
  /** ISO 8601, or `unknown`. */
  readonly buildDate: string;
  /** In byte order of UTF-8, `ZZ` included. */
  readonly regions: readonly string[];
  /** Relative to the folder, with `/`. */
  readonly files: readonly string[];
}

export const RANGES_FORMAT = 1;
/** Ranges of one bucket: Spark's table of what was broadcast has rows of 256 MiB at most. */
const MOST_IN_BUCKET = 1 << 22;

/** Writes the database at `file`, or the embedded one, into a folder, which is made. Throws ETL_GEO_DATABASE, ETL_MEMORY, ETL_OUTPUT_WRITE. */
export async function writeRanges(folder: string, options: RangeTableOptions): Promise<WrittenRanges> {
  const memory = new LinearMemory();
  const table = await openRangeTable(options, memory, await loadKernel<GeoKernel>('geo', memory));
  const { type, buildDate } = table.database;
  const { buckets, aliases } = bucketsOf(table, memory);
  table.close();
  const texts = (halves: readonly bigint[]): string[] => halves.map(String);
  const about = {
    format: RANGES_FORMAT, type, buildDate, ranges: buckets.ranges, steps: Math.ceil(Math.log2(Math.max(buckets.largest, 1))),
    aliases: aliases.map(({ first, last, bits }) => ({ first: texts(first), last: texts(last), bits })),
  };
  const writer = await loadWriter();
  const files = new Map([['ranges.json', Buffer.from(`${JSON.stringify(about, undefined, 1)}\n`) as Uint8Array]]);
  buckets.parts.forEach((part, i) => files.set(`buckets/part-${String(i).padStart(5, '0')}.parquet`, encode(part, writer)));
  try {
    await mkdir(join(folder, 'buckets'), { recursive: true });
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
  } catch (cause) {
    throw new EtlError('ETL_OUTPUT_WRITE', `Could not write the ranges of the IP database into ${folder}: ${(cause as Error).message}`, { cause });
  }
  return { type, buildDate, regions: table.regions, files: [...files.keys()] };
}

function bucketsOf(table: RangeTable, memory: LinearMemory) {
  const ranges4 = listRanges4(table, memory);
  const resolved = resolveAliases(listRanges6(table, memory), ranges4, table.unknown);
  const refused = (what: string): EtlError => new EtlError('ETL_GEO_DATABASE', `The IP database ${table.database.path} has ${what} for a Spark job.`, {
    hint: 'Run it without --engine spark, or give another database by --geo-db.',
  });
  if (!resolved) throw refused('too many places in IPv6 that lead to IPv4');
  const { ranges, aliases } = resolved;
  const buckets: Buckets = rangeBuckets({ ranges4, ranges6: ranges, names: table.regions, unknown: table.unknown });
  if (buckets.largest > MOST_IN_BUCKET) throw refused(`${buckets.largest} ranges in one /16`);
  return { buckets, aliases };
}

function encode({ rows, columns }: Part, writer: ParquetWasm): Uint8Array {
  const stream = new ArrowIpc().layOut(rows, columns);
  const file = writer.write(stream.bytes, (target) => stream.write(target), plainSettings('zstd', rows));
  const bytes = new Uint8Array(file.length);
  file.moveTo(bytes);
  return bytes;
}
