/** Times and dates as options have them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDate, parseDuration } from '../../lib/cli/duration.ts';

test('a time is a number and its unit', () => {
  const day = 86_400_000;
  for (const [text, milliseconds] of [['30d', 30 * day], ['12h', day / 2], ['2W', 14 * day], ['90m', day / 16], [' 1s ', 1000]] as const) {
    assert.equal(parseDuration(text, '--dedup-window'), milliseconds);
  }
  for (const text of ['', '30', 'd', '1.5d', '-1d', '0d', '30 days', '1y', '1e3d', '9999999999d']) {
    assert.throws(() => parseDuration(text, '--dedup-window'), { code: 'ETL_USAGE', message: /^--dedup-window must be a time such as 30s, 12h or 2w, not "/ }, text);
  }
});

test('a date is a day, which begins in UTC, or a moment with its zone', () => {
  for (const [text, iso] of [
    ['2026-11-01', '2026-11-01T00:00:00.000Z'], ['2024-02-29', '2024-02-29T00:00:00.000Z'], ['2026-11-01T12:30Z', '2026-11-01T12:30:00.000Z'],
    ['2026-11-01T12:30:15.5+02:00', '2026-11-01T10:30:15.500Z'],
  ] as const) assert.equal(parseDate(text, '--before').toISOString(), iso);
  for (const text of ['', '2026', '2026-11', '2026-02-30', '2026-02-30T00:00Z', '2026-13-01', '1.11.2026', '2026-11-01T12:30', '2026-11-01T25:00Z', 'now', '2026-11-01 ']) {
    assert.throws(() => parseDate(text, '--before'), { code: 'ETL_USAGE', message: /^--before must be a date such as / }, text);
  }
});
