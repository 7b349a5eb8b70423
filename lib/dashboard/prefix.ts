/**
 * A prefix as a range, which DuckDB finds by the bounds of row groups: `user >= 'ab' AND user < 'ac'`. Texts are compared by their bytes in
 * UTF-8, which is the order of code points.
 */

const LAST = 0x10ffff;
const [BEFORE_SURROGATES, AFTER_SURROGATES] = [0xd7ff, 0xe000];

/** The first text behind all that begin with the prefix; undefined: there is none. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  while (points.at(-1) === LAST) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  return String.fromCodePoint(...points, last === BEFORE_SURROGATES ? AFTER_SURROGATES : last + 1);
}
