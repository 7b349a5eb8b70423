/** The region that a database record stands for: one field of it, as text. */
import { UNKNOWN_REGION } from '../core/options.ts';
import { MAX_REGIONS } from '../kernels/layout.ts';
import type { GeoDatabase } from './database.ts';

/** Tried in turn when no field is given: MaxMind's and most others', DB-IP Lite's and ip-location-db's. */
const defaultFields = ['country.iso_code', 'country_code'];
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
 * Decodes each record once and numbers the regions. A record without the field, or with something else there than a text
 * or a number, is of the unknown region; when that is every record, the field is wrong: ETL_GEO_DATABASE.
 */
export function readRegions(database: GeoDatabase, offsets: readonly number[], field: string | undefined): Regions {
  const paths = (field === undefined ? defaultFields : [field]).map((path) => path.split('.'));
  const order = new Map<string, number>([[UNKNOWN_REGION, 0]]);
  const numbers = new Uint32Array(offsets.length);
  let found = false;
  for (let i = 0; i < offsets.length; i++) {
    const name = nameOf(database.record(offsets[i]!), paths);
    found ||= name !== undefined;
    let number = order.get(name ?? UNKNOWN_REGION);
    if (number === undefined) order.set(name!, (number = order.size));
    numbers[i] = number;
  }
  if (!found && offsets.length > 0) throw missingField(database, offsets, field);
  if (order.size > MAX_REGIONS) {
    throw database.error(`has more than ${MAX_REGIONS} different values of ${field ?? defaultFields.join(' or ')}`, {
      hint: 'Name a coarser field of its records by --geo-field.',
    });
  }

  const sorted = [...order.keys()].map((name) => ({ name, bytes: Buffer.from(name), number: order.get(name)! }));
  sorted.sort((a, b) => a.bytes.compare(b.bytes));
  const place = new Uint32Array(sorted.length);
  sorted.forEach(({ number }, i) => (place[number] = i));
  for (let i = 0; i < numbers.length; i++) numbers[i] = place[numbers[i]!]!;
  return { names: sorted.map(({ name }) => name), unknown: place[0]!, numbers };
}

function nameOf(record: unknown, paths: readonly string[][]): string | undefined {
  for (const path of paths) {
    let value = record;
    for (const key of path) value = isContainer(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    if (typeof value === 'string' ? value !== '' : isNumber(value)) return String(value);
  }
  return undefined;
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isNumber(value: unknown): boolean {
  return typeof value === 'bigint' || Number.isFinite(value);
}

function missingField(database: GeoDatabase, offsets: readonly number[], field: string | undefined): Error {
  const fields = new Set<string>();
  for (const offset of offsets.slice(0, SAMPLE_RECORDS)) addFields(database.record(offset), '', fields);
  const wanted = field === undefined ? `neither ${defaultFields.join(' nor ')}` : `no field ${field}`;
  return database.error(`has ${wanted} with a text or a number in any record`, {
    hint: fields.size === 0 ? 'Its records have no such fields at all.' : `Name one by --geo-field: ${[...fields].join(', ')}.`,
  });
}

/** Adds the dotted paths of all texts and numbers in `value`, until there are enough. */
function addFields(value: unknown, path: string, fields: Set<string>): void {
  if (fields.size >= SAMPLE_FIELDS) return;
  if (typeof value === 'string' || isNumber(value)) {
    if (path !== '') fields.add(path);
  } else if (isContainer(value)) {
    for (const key of Object.keys(value)) addFields(value[key], path === '' ? key : `${path}.${key}`, fields);
  }
}
