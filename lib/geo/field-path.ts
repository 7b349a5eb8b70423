/**
 * `--geo-field`: the way through a record to one value. Steps stand between dots: keys of maps, and places in arrays from 0
 * on, or from the end, -1 being the last (`subdivisions.-1.iso_code` is the smallest subdivision). A dot that belongs to a
 * key is written `\.`, a backslash `\\`.
 */

export interface PathStep {
  /** UTF-8, for a map. */
  readonly key: Buffer;
  /** For an array; undefined: the step is no place in one. */
  readonly index: number | undefined;
}

export type FieldPath = readonly PathStep[];

/** Paths are not longer than this; longer ones would not be shown. */
const SHOWN_LENGTH = 200;

export function parsePath(text: string): FieldPath {
  const keys = [''];
  for (const [part] of text.matchAll(/\\[.\\]|[^]/g)) {
    if (part === '.') keys.push('');
    else keys[keys.length - 1] += part.length === 2 && part[0] === '\\' ? part[1]! : part;
  }
  return keys.map((key) => ({ key: Buffer.from(key), index: /^(0|-?[1-9]\d{0,7})$/.test(key) ? Number(key) : undefined }));
}

/** The paths of all texts, numbers and booleans in a record, as `parsePath` takes them: `most` at most. */
export function listPaths(record: unknown, most: number): string[] {
  const paths: string[] = [];
  // What is shared by pointers has more paths than anybody can walk.
  let steps = 50 * most;
  const visit = (value: unknown, path: string): void => {
    if (paths.length >= most || steps-- <= 0) return;
    if (isValue(value)) {
      if (path !== '' && path.length <= SHOWN_LENGTH) paths.push(path);
    } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
      for (const [key, each] of Object.entries(value)) visit(each, path === '' ? escaped(key) : `${path}.${escaped(key)}`);
    }
  };
  visit(record, '');
  return paths;
}

function isValue(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint' || Number.isFinite(value);
}

function escaped(key: string): string {
  return key.replace(/[.\\]/g, '\\$&');
}
