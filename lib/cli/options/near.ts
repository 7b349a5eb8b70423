/** The name that an unknown one was probably meant to be. */
import leven from 'leven';

/** The nearest of `names` by edits, if few enough: a third of its letters. */
export function near(unknown: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Infinity;
  for (const name of names) {
    const edits = leven(unknown.toLowerCase(), name.toLowerCase());
    if (edits < least && edits <= Math.max(1, Math.floor(name.length / 3))) [nearest, least] = [name, edits];
  }
  return nearest;
}
