/** Numbers of a line that is read at a glance: three digits at most. */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

/** 7, 999, 1.0k, 12k, 1.2M: at most four characters up to 999P. */
export function short(value: number): string {
  const [digits, prefix] = scaled(value);
  return `${digits}${prefix}`;
}

/** 7 B, 1.0 KB, 12 MB. */
export function shortSize(bytes: number): string {
  const [digits, prefix] = scaled(bytes);
  return `${digits} ${prefix.toUpperCase()}B`;
}

/** 0:07, 59:59, 1h02, 3d04: at most five characters up to a hundred days. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600), Math.floor(whole / 60)];
  const two = (value: number): string => String(value).padStart(2, '0');
  if (hours >= 48) return `${days}d${two(hours % 24)}`;
  return hours > 0 ? `${hours}h${two(minutes % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function scaled(value: number): [digits: string, prefix: string] {
  let power = 0;
  let digits = value;
  while (power < PREFIXES.length - 1 && Math.round(digits) >= 1000) digits = value / 1000 ** ++power;
  return [power > 0 && digits < 9.95 ? digits.toFixed(1) : String(Math.round(digits)), PREFIXES[power]!];
}
