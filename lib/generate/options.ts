/** What `generateLogs` is told: defaults, and validation at the door. */
import { EtlError } from '../core/errors.ts';

export type LineEnd = 'lf' | 'crlf' | 'cr';

/** Sizes and shares; everything that decides the bytes, and nothing else does. */
export interface LogShape {
  /** Number of files, `logs-0001.csv` and on: a day each. */
  readonly files: number;
  /** Bytes in all; every file gets its equal part, less at most one row. */
  readonly size: number;
  readonly users: number;
  /** Share of rows that are exact copies of earlier ones. */
  readonly duplicates: number;
  readonly seed: number;
  /** Share of rows with something wrong: a sixth each of the kinds in `badRow` (rows.ts). */
  readonly badRows: number;
  /** Share of users (and of addresses away from home) on IPv6. */
  readonly ipv6: number;
  /** Share of rows whose fields are all in quotes. */
  readonly quoted: number;
  readonly lineEnd: LineEnd;
}

export interface GenerateOptions extends Partial<LogShape> {
  /** Created if it is not there. */
  readonly folder: string;
  /** Replace logs of the same names. */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  /** Called about once a MiB. */
  readonly onProgress?: (bytesWritten: number, bytesInAll: number) => void;
}

export const generateDefaults: LogShape = {
  files: 4, size: 1e9, users: 2_000_000, duplicates: 0.08, seed: 1, badRows: 0, ipv6: 0.03, quoted: 0, lineEnd: 'lf',
};

export const lineEnds: Readonly<Record<LineEnd, string>> = { lf: '\n', crlf: '\r\n', cr: '\r' };

/** A file holds at least its header and a row. */
export const MIN_FILE_BYTES = 256;

const ranges = {
  files: { least: 1, most: 9999, whole: true },
  size: { least: MIN_FILE_BYTES, most: 2 ** 50, whole: true },
  users: { least: 1, most: 1e9, whole: true },
  duplicates: { least: 0, most: 1, whole: false },
  seed: { least: 0, most: 2 ** 32 - 1, whole: true },
  badRows: { least: 0, most: 0.5, whole: false },
  ipv6: { least: 0, most: 1, whole: false },
  quoted: { least: 0, most: 1, whole: false },
};

/** The shape with defaults filled in. Throws ETL_USAGE, naming the accepted range. */
export function logShape(options: Partial<LogShape>): LogShape {
  const given = Object.entries(options).filter(([name, value]) => name in generateDefaults && value !== undefined);
  const shape: LogShape = { ...generateDefaults, ...Object.fromEntries(given) };
  for (const [name, { least, most, whole }] of Object.entries(ranges)) {
    const value: unknown = shape[name as keyof typeof ranges];
    if (typeof value !== 'number' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw usage(`\`${name}\` must be a${whole ? ' whole' : ''} number from ${least} to ${most}, not ${String(value)}.`);
    }
  }
  if (!Object.hasOwn(lineEnds, shape.lineEnd)) throw usage(`\`lineEnd\` must be lf, crlf or cr, not ${String(shape.lineEnd)}.`);
  if (shape.size < shape.files * MIN_FILE_BYTES) {
    throw usage(`\`size\` must be at least ${shape.files * MIN_FILE_BYTES} bytes for ${shape.files} files, not ${shape.size}.`);
  }
  if (shape.duplicates + shape.badRows > 1) {
    throw usage(`\`duplicates\` and \`badRows\` together must be at most 1, not ${shape.duplicates} + ${shape.badRows}.`);
  }
  return shape;
}

function usage(message: string): EtlError {
  return new EtlError('ETL_USAGE', message);
}
