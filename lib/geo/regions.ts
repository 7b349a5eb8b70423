/** The region that a database record stands for: one field of it, as text. */
import { UNKNOWN_REGION } from '../core/options.ts';
import { MAX_REGIONS } from '../kernels/layout.ts';
import type { GeoDatabase } from './database.ts';
import { listPaths, parsePath, type FieldPath } from './field-path.ts';

/** Tried in turn when no field is given: MaxMind's and most others', DB-IP Lite's and ip-location-db's. */
const defaultFields = ['country.iso_code', 'country_code'];
/** A name stands in every row of what is grouped by user; a text that is longer names no region. */
const MAX_REGION_BYTES = 1024;
/** All names are in the heap. */
const MAX_NAME_BYTES = 64 << 20;
/** Names that are kept by where they stand: records of one country share its name. */
const MAX_KEPT = 65_536;
/** What the error about a missing field looks at, and prints. */
const SAMPLE_RECORDS = 64;
const SAMPLE_FIELDS = 30;

export interface Regions {
  /** Names in byte order of their UTF-8; index = region number. The unknown region is among them. */
  readonly names: readonly string[];
  readonly unknown: number;
  /** The region number of each record, in the order of `offsets`. */
  readonly numbers: Uint32Array;
}

/**
 * Looks the field up in each record once and numbers the regions. A record without the field, or with something else there
 * than a text, a number or a boolean, is of the unknown region, and so is one with an empty text; when that is every
 * record, the field is wrong: ETL_GEO_DATABASE.
 */
export function readRegions(database: GeoDatabase, offsets: readonly number[], field: string | undefined): Regions {
  const nameOf = namesBy(database, (field === undefined ? defaultFields : [field]).map(parsePath));
  const order = new Map<string, number>([[UNKNOWN_REGION, 0]]);
  const numbers = new Uint32Array(offsets.length);
  const what = field ?? defaultFields.join(' or ');
  const hint = 'Name a coarser field of its records by --geo-field.';
  let found = false;
  let bytes = 0;
  for (let i = 0; i < offsets.length; i++) {
    const name = nameOf(offsets[i]!);
    found ||= name !== undefined;
    let number = order.get(name ?? UNKNOWN_REGION);
    if (number === undefined) {
      const size = Buffer.byteLength(name!);
      if (size > MAX_REGION_BYTES) throw database.error(`has a text of ${size} bytes as ${what}: a region has ${MAX_REGION_BYTES} at most`, { hint });
      if ((bytes += size) > MAX_NAME_BYTES) throw database.error(`has more than ${MAX_NAME_BYTES >> 20} MiB of different texts as ${what}`, { hint });
      if (order.size === MAX_REGIONS) throw database.error(`has more than ${MAX_REGIONS} different values of ${what}`, { hint });
      order.set(name!, (number = order.size));
    }
    numbers[i] = number;
  }
  if (!found && offsets.length > 0) throw missingField(database, offsets, field);

  const sorted = [...order.keys()].map((name) => ({ name, bytes: Buffer.from(name), number: order.get(name)! }));
  sorted.sort((a, b) => a.bytes.compare(b.bytes));
  const place = new Uint32Array(sorted.length);
  sorted.forEach(({ number }, i) => (place[number] = i));
  for (let i = 0; i < numbers.length; i++) numbers[i] = place[numbers[i]!]!;
  return { names: sorted.map(({ name }) => name), unknown: place[0]!, numbers };
}

/** The name that the record at an offset has by the first of `paths` that leads to one; undefined: none does. */
function namesBy(database: GeoDatabase, paths: readonly FieldPath[]): (offset: number) => string | undefined {
  const kept = new Map<number, string | undefined>();
  const nameAt = (at: number): string | undefined => {
    if (kept.has(at)) return kept.get(at);
    if (kept.size >= MAX_KEPT) kept.clear();
    const value = database.value(at);
    const isName = typeof value === 'string' ? value !== '' : typeof value !== 'number' || Number.isFinite(value);
    const name = isName ? String(value) : undefined;
    kept.set(at, name);
    return name;
  };
  return (offset) => {
    database.check(offset);
    for (const path of paths) {
      const at = database.find(offset, path);
      const name = at < 0 ? undefined : nameAt(at);
      if (name !== undefined) return name;
    }
    return undefined;
  };
}

function missingField(database: GeoDatabase, offsets: readonly number[], field: string | undefined): Error {
  const fields = new Set<string>();
  for (const offset of offsets.slice(0, SAMPLE_RECORDS)) {
    for (const path of listPaths(database.record(offset), SAMPLE_FIELDS)) if (fields.size < SAMPLE_FIELDS) fields.add(path);
  }
  const wanted = field === undefined ? `neither ${defaultFields.join(' nor ')}` : `no field ${field}`;
  // A shell would take a backslash or a blank for its own.
  const quoted = [...fields].map((path) => (/^[\w.-]+$/.test(path) ? path : `'${path}'`));
  return database.error(`has ${wanted} with a text, a number or a boolean in any record`, {
    hint: fields.size === 0 ? 'Its records have no such fields at all.' : `Name one by --geo-field: ${quoted.join(', ')}.`,
  });
}
