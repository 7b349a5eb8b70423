/** What runs say of themselves, as the dashboard tells it: of each report what charts and tables of runs need. */
import type { RunReport } from '../report/report.ts';
import type { Run, Runs } from './api.ts';
import type { Snapshot } from './snapshots.ts';

/** Regions of a run whose watch time is told: as many as a chart can show. */
const MOST_REGIONS = 250;

export function runsOf({ id, dataset: { reports, damaged } }: Snapshot): Runs {
  return { snapshot: id, runs: reports.map(runOf), damaged: damaged.length };
}

export function runOf({ run, startedAt, version, summary, memory, warnings, result }: RunReport): Run {
  const { inputs, rows, seconds, megabytesPerSecond, rowsPerSecond } = summary;
  return {
    run, startedAt, version, inputs, rows, seconds, megabytesPerSecond, rowsPerSecond, warnings,
    memory: { limit: memory.limitBytes, peak: memory.peakBytes },
    watchTime: result.total,
    // Of any name, so no plain object: `__proto__` would be lost.
    regions: Object.fromEntries(result.regions.listed.slice(0, MOST_REGIONS).map(({ region, total }) => [region, total])),
  };
}
