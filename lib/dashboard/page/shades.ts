/** Shades of a map: classes of values by powers of ten, or parts of them where values are near each other. */

/** As many as style.css has: `--shade-1` is the lightest in light, the darkest in dark. */
export const SHADES = 6;

/** Bounds from the largest to the smallest, at most one less than there are shades: each is the least of its shade; the last shade has what is below. */
export function bounds(values: readonly number[]): number[] {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [];
  const most = Math.max(...positive);
  const least = Math.min(...positive);
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const found = niceBelow(most, steps, least);
    if (found.length < SHADES || steps.length === 1) return found.slice(0, SHADES - 1);
  }
  return [];
}

/** SHADES for the largest values, then down; 1 where no value is over 0. */
export function shadeOf(value: number, from: readonly number[]): number {
  if (from.length === 0) return 1;
  const at = from.findIndex((bound) => value >= bound);
  return SHADES - (at < 0 ? from.length : at);
}

/** Multiples of powers of ten, from the largest that is not over `most` down to the first that is not over `least`. */
function niceBelow(most: number, steps: readonly number[], least: number): number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(most) + 1e-9); found.length < SHADES * 2; power--) {
    for (const step of [...steps].reverse()) {
      const bound = Number(`${step}e${power}`);
      if (bound > most) continue;
      found.push(bound);
      if (bound <= least) return found;
    }
  }
  return found;
}
