/** Records as the city and ISP databases have them, on networks of both families, and what `maxmind` says of a field. */
import type { MmdbPlan } from './mmdb-writer.ts';

const names = (en: string): unknown => ({ de: en, en, 'pt-BR': en, 'zh-CN': `${en}市` });
const country = (iso_code: string, geoname_id: number, eu = false): unknown => ({ geoname_id, ...(eu ? { is_in_european_union: true } : {}), iso_code, names: names(iso_code) });

const city = (name: string, code: string, eu: boolean, subdivisions: readonly string[], more: object = {}): unknown => ({
  city: { geoname_id: name.length * 1000, names: names(name) },
  continent: { code: 'EU', names: names('Europe') },
  country: country(code, code.charCodeAt(0), eu),
  location: { accuracy_radius: 100, latitude: 51.5142, longitude: -0.0931, time_zone: 'Europe/London', metro_code: 501 },
  postal: { code: '0O1' },
  registered_country: country(code, 1),
  ...(subdivisions.length > 0 ? { subdivisions: subdivisions.map((iso_code, i) => ({ geoname_id: 10 + i, iso_code, names: names(iso_code) })) } : {}),
  ...more,
});

const isp = (number: number | undefined, organization: string, more: object = {}): unknown => ({
  ...(number === undefined ? {} : { autonomous_system_number: number }),
  autonomous_system_organization: organization, isp: organization.toUpperCase(), organization, ...more,
});

export const cities: MmdbPlan['networks'] = [
  ['2.125.160.0/20', city('Boxford', 'GB', false, ['ENG', 'WBK'])], ['81.2.69.0/24', city('London', 'GB', false, ['ENG'])],
  ['89.160.20.0/24', city('Linköping', 'SE', true, ['E'], { traits: { is_anonymous_proxy: true, score: 0.75 } })],
  ['175.16.199.0/24', city('Changchun', 'CN', false, ['22', '2201', 'x/y'], { traits: { is_anonymous_proxy: false, score: -1 } })],
  ['216.160.83.0/24', city('Milton', 'US', false, [], { 'a.b': { 'c\\d': 'dotted' }, a: { b: { c: 'plain' } } })],
  ['202.196.224.0/20', { country: country('PH', 8), subdivisions: [{}] }], ['67.43.156.0/24', {}],
  ['2001:218::/32', city('Tokyo', 'JP', false, ['13'])], ['2a02:d300::/29', { country: country('UA', 9), subdivisions: 'none' }],
  ['2001:480:10::/48', city('San Diego', 'US', false, ['CA', '073'], { big: 2n ** 100n, zero: 0, 'a.b': 'text' })],
];

export const isps: MmdbPlan['networks'] = [
  ['1.128.0.0/11', isp(1221, 'Telstra Pty Ltd')], ['12.81.92.0/22', isp(7018, 'AT&T Services')], ['12.96.16.0/20', isp(7018, 'AT&T, "Services"')],
  ['67.43.156.0/24', isp(undefined, '')], ['78.26.70.208/28', isp(4294967295, '../../etc/passwd')], ['2600:7000::/24', isp(6939, 'Hurricane\tElectric')],
  ['2001:41d0::/32', isp(16276, '日本 😀')], ['2a00:1450::/32', isp(0, '__HIVE_DEFAULT_PARTITION__')],
];

/** Inside and beside the networks of a plan. */
export function addressesOf(networks: MmdbPlan['networks']): string[] {
  const addresses = ['0.0.0.0', '10.0.0.1', '255.255.255.255', '::', 'fe80::1'];
  for (const [prefix] of networks) {
    const [start] = prefix.split('/') as [string];
    if (start.includes(':')) addresses.push(start, `${start}1`, start.replace(/::$/, ':0:1::2'));
    else addresses.push(start, `::ffff:${start}`, ...[1, 9].map((last) => start.replace(/\d+$/, (from) => String(Number(from) + last))));
  }
  return addresses;
}

/** What a record has at these keys, where arrays have places from either end. */
export function valueAt(record: unknown, keys: readonly (string | number)[]): unknown {
  let value = record;
  for (const key of keys) {
    if (Array.isArray(value)) value = typeof key === 'number' ? value.at(key) : undefined;
    else value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  return value;
}
