/**
 * Regions as they are called. Two letters are a country's code in most datasets, and in others a state's (CA, TX, NY): where many of them are
 * of no country, none is taken for one.
 */
import { cut } from '../../page/bars.ts';
import { visible } from '../../page/dom.ts';
import { regionName } from '../../page/format.ts';

/** Characters of a name; the list of regions has all of them. */
const MOST_NAME = 60;

/** Of regions with two letters that are no country's: over this they are all something else. */
const MOST_UNKNOWN = 0.1;
let areCountries = true;

/** Told of every overview before anything of it is shown. */
export function learnNames(regions: readonly { readonly region: string }[]): void {
  const codes = regions.filter(({ region }) => /^[A-Z]{2}$/.test(region));
  areCountries = codes.filter(({ region }) => regionName(region) === undefined).length <= MOST_UNKNOWN * codes.length;
}

/** Of a country, or of no region; undefined for all else. */
export function countryName(region: string): string | undefined {
  return areCountries || region === 'ZZ' ? regionName(region) : undefined;
}

/** Whether regions can be countries. */
export function hasCountries(): boolean {
  return areCountries;
}

/** `United States`; what has no name is called by its code. */
export function nameOf(region: string): string {
  return countryName(region) ?? cut(visible(region), MOST_NAME);
}

/** `United States (US)`. */
export function fullNameOf(region: string): string {
  const name = countryName(region);
  return name === undefined ? cut(visible(region), MOST_NAME) : `${name} (${region})`;
}

/** What a row of the dataset is: with one row a user and region, a user of a region. */
export function rowsName(groupBy: 'region' | 'user', region: string | null): string {
  return groupBy === 'user' || region !== null ? 'users' : 'users in a region';
}
