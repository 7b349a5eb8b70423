import { EtlError } from '../core/errors.ts';

const SECOND = 1000;
const UNITS: Readonly<Record<string, number>> = { s: SECOND, m: 60 * SECOND, h: 3600 * SECOND, d: 86_400 * SECOND, w: 7 * 86_400 * SECOND };

/** Milliseconds of a time such as `30s`, `12h` or `2w`. Throws ETL_USAGE naming the option. */
export function parseDuration(text: string, option: string): number {
  const [, count, unit] = /^(\d{1,9})([smhdw])$/i.exec(text.trim()) ?? [];
  const milliseconds = Number(count) * (UNITS[unit?.toLowerCase() ?? ''] ?? NaN);
  if (milliseconds > 0) return milliseconds;
  throw new EtlError('ETL_USAGE', `${option} must be a time such as 30s, 12h or 2w, not ${JSON.stringify(text)}.`);
}

/** A date of the calendar, which begins at midnight UTC, or a moment as ISO 8601 has it. Throws ETL_USAGE naming the option. */
export function parseDate(text: string, option: string): Date {
  const date = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) ? new Date(text) : new Date(NaN);
  const day = text.slice(0, 10);
  // JavaScript takes 2026-02-31 for a day of March.
  if (!Number.isNaN(date.getTime()) && new Date(day).toISOString().startsWith(day)) return date;
  throw new EtlError('ETL_USAGE', `${option} must be a date such as 2026-11-01, or 2026-11-01T12:00:00Z, not ${JSON.stringify(text)}.`);
}
