/** Regions as they are called. */
import { visible } from '../../page/dom.ts';
import { regionName } from '../../page/format.ts';

/** `United States`; what has no name is called by its code. */
export function nameOf(region: string): string {
  return regionName(region) ?? visible(region);
}

/** `United States (US)`. */
export function fullNameOf(region: string): string {
  const name = regionName(region);
  return name === undefined ? visible(region) : `${name} (${region})`;
}

/** What a row of the dataset is: with one row a user and region, a user of a region. */
export function rowsName(groupBy: 'region' | 'user', region: string | null): string {
  return groupBy === 'user' || region !== null ? 'users' : 'users in a region';
}
