/** Figures for people, as the command's summary has them; a unit stays on the line of its figure. */
import { size as sizeText } from '../core/figures.ts';

export { grouped as decimal } from '../core/figures.ts';

export function number(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1 run`, `2 runs`. */
export function count(things: number, name: string, plural = `${name}s`): string {
  return `${number(things)} ${things === 1 ? name : plural}`;
}

export function size(bytes: number): string {
  return sizeText(bytes).replace(' ', '\u00a0');
}

export function seconds(value: number): string {
  if (value < 1) return `${(value * 1000).toFixed(0)}\u00a0ms`;
  if (value < 100) return `${value.toFixed(2)}\u00a0s`;
  const minutes = Math.floor(value / 60);
  return minutes < 100 ? `${minutes} min ${Math.round(value % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function percent(part: number, whole: number): string {
  const share = whole === 0 ? 0 : (100 * part) / whole;
  if (share > 0 && share < 0.005) return '<\u00a00.01\u00a0%';
  return `${share.toFixed(2).replace(/^-(?=0\.00$)/, '')}\u00a0%`;
}

/** `12.3M`. */
export function compact(value: number): string {
  return value.toLocaleString('en-US', { notation: 'compact', maximumSignificantDigits: 3 });
}

/** As UTC, to the second. */
export function moment(iso: string): string {
  const date = new Date(iso);
  return `${date.toLocaleDateString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'long', year: 'numeric' })}, ${date.toLocaleTimeString('en-GB', { timeZone: 'UTC' })} UTC`;
}

const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });

/** Its name in English, if it is a code of a country; regions can be anything. */
export function regionName(region: string): string | undefined {
  if (region === 'ZZ') return 'no region';
  if (!/^[A-Z]{2}$/.test(region)) return undefined;
  return names.of(region);
}
