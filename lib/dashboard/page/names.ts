/** Regions as they are called. */
import { cut } from '../../page/bars.ts';
import { visible } from '../../page/dom.ts';
import { regionName } from '../../page/format.ts';

/** Characters of a name; the list of regions has all of them. */
const MOST_NAME = 60;

/** `United States`; what has no name is called by its code. */
export function nameOf(region: string): string {
  return regionName(region) ?? cut(visible(region), MOST_NAME);
}

/** `United States (US)`. */
export function fullNameOf(region: string): string {
  const name = regionName(region);
  return name === undefined ? cut(visible(region), MOST_NAME) : `${name} (${region})`;
}

/** What a row of the dataset is: with one row a user and region, a user of a region. */
export function rowsName(groupBy: 'region' | 'user', region: string | null): string {
  return groupBy === 'user' || region !== null ? 'users' : 'users in a region';
}
