/** Who gets how much of a run's memory, in shares that add up to its limit, and whether its rows fit theirs. */
import { findAvailableMemory } from '../core/memory-limit.ts';
import type { JobOptions } from '../core/options.ts';
import { HEAD_WIDE, ROW_FIXED, ROW_WIDE_FIXED } from '../kernels/layout.ts';
import { memoryLimit, type Decisions, type Survey } from './decisions.ts';
import type { Explanation, ShareName } from './explanation.ts';

/** Where a limit comes from. */
export function limitOf(limit: number, options: JobOptions): Omit<Explanation['memory'], 'shares'> {
  const { bytes: available, of } = findAvailableMemory();
  const from = options.memory !== undefined ? 'option' : limit > memoryLimit(options) ? 'least' : of;
  return { limit, from, available };
}

/** `linear`: all linear memory, before anything was taken off it for regions. */
export function sharesOf({ budget, outside }: Decisions, linear: number, { memory }: Survey): Explanation['memory']['shares'] {
  const { limit, jobs, threadBytes, workspace } = budget;
  const kept = memory.limit;
  const shares: [ShareName, number][] = [
    ['process', outside.process], ['heap', outside.heap], ['state', outside.state], ['decompression', outside.decompression],
    ['encoder', outside.encoder], ['threads', outside.threads], ['regions', linear - kept],
    ...(jobs === 1
      ? [['linear tables', workspace], ['linear pages', kept - workspace]] as [ShareName, number][]
      : [['linear main', kept - jobs * threadBytes], ['linear threads', jobs * threadBytes]] as [ShareName, number][]),
  ];
  shares.push(['left', limit - shares.reduce((sum, [, bytes]) => sum + bytes, 0)]);
  return shares.filter(([, bytes]) => bytes !== 0).map(([name, bytes]) => ({ name, bytes }));
}

/**
 * By the rows of the sample, and by what compressed files expand to as a rule. Of rows that are spilled, all are in the end
 * (partition/generations.ts); they are spilled when they take more than may be kept.
 */
export function rowsOf({ budget: { jobs, keepBytes } }: Decisions, { source, found }: Survey): Explanation['rows'] {
  const text = source.expectedBytes;
  if (!found || text === undefined) return undefined;
  const { userPrefix, seen: { rows, bytes, userBytes } } = found;
  const user = userBytes / rows;
  const rowBytes = user - userPrefix.length < HEAD_WIDE ? ROW_FIXED + Math.max(user - userPrefix.length, 0) : ROW_WIDE_FIXED + user;
  const count = Math.round(text / (bytes / rows));
  const stored = Math.round(count * rowBytes);
  const kept = jobs * keepBytes;
  return { count, bytes: stored, kept, spilled: stored > kept ? stored : 0 };
}
