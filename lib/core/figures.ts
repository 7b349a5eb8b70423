/** Figures as people read them, in messages and on the page of a report. */

/** A whole number, with commas. Not by Intl: that takes a process 26 ms to load. */
export function number(value: number): string {
  return grouped(String(value));
}

/** A decimal text with commas between thousands: `12,345.60`. Its digits are kept, all of them. */
export function grouped(decimal: string): string {
  const [whole = '', places] = decimal.split('.');
  return whole.replace(/\B(?=(\d{3})+$)/g, ',') + (places === undefined ? '' : `.${places}`);
}

/** `1 run`, `2 runs`. */
export function count(things: number, name: string): string {
  return `${number(things)} ${name}${things === 1 ? '' : 's'}`;
}

/** Of bytes: `999 B`, `1.0 KB`, by powers of 1000. */
export function size(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let power = 0;
  while (power < units.length - 1 && bytes >= 1000 ** (power + 1)) power++;
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
