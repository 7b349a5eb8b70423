/** Sets of code points, as sorted ranges that neither touch nor overlap. Halves of pairs are in none: valid UTF-8 has no such characters. */

/** Both ends included. */
export type Range = readonly [from: number, to: number];
export type CodePoints = readonly Range[];

const LAST = 0x10ffff;
const ALL: CodePoints = [[0, 0xd7ff], [0xe000, LAST]];

/** Of any ranges. */
export function union(...sets: CodePoints[]): CodePoints {
  const sorted = sets.flat().sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged.flatMap(([from, to]) => ALL.flatMap(([least, most]) => (from <= most && to >= least ? [[Math.max(from, least), Math.min(to, most)] as const] : [])));
}

export function complement(set: CodePoints): CodePoints {
  const rest: Range[] = [];
  let from = 0;
  for (const [first, last] of set) {
    if (first > from) rest.push([from, first - 1]);
    from = last + 1;
  }
  if (from <= LAST) rest.push([from, LAST]);
  return union(rest);
}

const known = new Map<string, CodePoints>();

/** What a class of JavaScript takes: `\s`, `\p{L}`. This Node.js says it, so that its version of Unicode decides, as in a local run. */
export function pointsOf(source: string): CodePoints {
  const set = known.get(source) ?? union(matched(new RegExp(`^${source}$`, 'u')));
  known.set(source, set);
  return set;
}

function matched(expression: RegExp): Range[] {
  const ranges: [number, number][] = [];
  for (const [least, most] of ALL) {
    for (let point = least; point <= most; point++) {
      if (!expression.test(String.fromCodePoint(point))) continue;
      const last = ranges.at(-1);
      if (last?.[1] === point - 1) last[1] = point;
      else ranges.push([point, point]);
    }
  }
  return ranges;
}
