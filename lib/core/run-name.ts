import { randomBytes } from 'node:crypto';

/** The name of a run that began at `startedAt`: `20261130T045026123Z-3f2a9c`, UTC, to the millisecond, and six random digits. Names sort by time. */
export function runName(startedAt: Date): string {
  return `${startedAt.toISOString().replace(/[-:.]/g, '')}-${randomBytes(3).toString('hex')}`;
}
