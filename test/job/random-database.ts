/** The IP database of random jobs: the addresses that they draw are in it, at its borders, or nowhere. */
import { writeMmdb } from '../geo/mmdb-writer.ts';

export const database = writeMmdb({
  recordSize: 28,
  ipVersion: 6,
  networks: [
    ['1.0.0.0/8', { country: { iso_code: 'US' }, country_code: 'not this' }],
    ['1.2.0.0/16', { country_code: 'DE' }],
    ['2.0.0.0/9', { country_code: 'DE' }],
    ['2.128.0.0/9', { country_code: 'ß /=%' }],
    ['3.0.0.0/8', { city: 'without a country' }],
    ['2001:db8::/33', { country_code: 'FR' }],
    ['2001:db8:8000::/33', { country_code: 'US' }],
  ],
});
