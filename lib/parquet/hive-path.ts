/**
 * The folder of a region in Hive layout: `geo_region=<value>`, the value percent-encoded byte by byte so that readers
 * get the region back, and no region can leave the dataset or clash with another. Tried: DuckDB 1.5, Polars 2.1,
 * pyarrow 26, Spark 4.0.
 *
 * - Everything outside [A-Za-z0-9_.~-] becomes %XX of its UTF-8 bytes. `.` and `..` are harmless behind `geo_region=`.
 *   Spark takes %C3%9F for two Latin-1 characters; but folders named with ß itself it does not see at all when its
 *   locale is C: a strange label is better than missing rows.
 * - The empty region is Hive's own name for "no value", which readers give back as NULL. A region that is called what a
 *   reader takes for NULL gets its first byte encoded (DuckDB and Spark see the name; Polars and pyarrow decode before
 *   they compare, so for them `__HIVE_DEFAULT_PARTITION__` is NULL either way).
 * - A name too long for a file system keeps its beginning and ends in ~ and 32 hex digits of the SHA-256 of all of it;
 *   the full name stands in the metadata of the files. A region that is called like that itself has its ~ encoded.
 */
import { createHash } from 'node:crypto';

export const PARTITION_COLUMN = 'geo_region';
const NO_VALUE = '__HIVE_DEFAULT_PARTITION__';
const TAKEN_FOR_NULL = /^(__hive_default_partition__|null)$/i;
/** Linux, macOS and Windows all take names of 255 bytes. */
const MAX_NAME_BYTES = 255;
const HASH_DIGITS = 32;
const LIKE_CUT = /~(?=[0-9a-f]{32}$)/;

export function partitionFolder(region: string): string {
  const prefix = `${PARTITION_COLUMN}=`;
  const room = MAX_NAME_BYTES - prefix.length;
  const value = encodeValue(region).replace(LIKE_CUT, '%7E');
  if (value.length <= room) return prefix + value;
  const hash = createHash('sha256').update(region).digest('hex').slice(0, HASH_DIGITS);
  let start = '';
  for (const character of region) {
    const next = start + encodeValue(character);
    if (next.length > room - 1 - HASH_DIGITS) break;
    start = next;
  }
  return `${prefix}${start}~${hash}`;
}

/** The region of a folder's name; undefined when that is cut, or is none of ours. */
export function regionOfFolder(folder: string): string | undefined {
  const value = folder.slice(PARTITION_COLUMN.length + 1);
  if (value === NO_VALUE) return '';
  try {
    const region = decodeURIComponent(value);
    return partitionFolder(region) === folder ? region : undefined;
  } catch {
    return undefined; // no UTF-8
  }
}

function encodeValue(region: string): string {
  if (region === '') return NO_VALUE;
  let value = '';
  for (const byte of Buffer.from(region)) {
    const safe = /[A-Za-z0-9_.~-]/.test(String.fromCharCode(byte)) && !(value === '' && TAKEN_FOR_NULL.test(region));
    value += safe ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return value;
}

export function partName(number: number): string {
  return `part-${String(number).padStart(5, '0')}.parquet`;
}
