/** Whether what stands in a report's file is a report: it may have been changed, by whomever, since it was written. */
import { z } from 'zod';
import { phases } from '../progress.ts';
import type { RunReport } from './report.ts';

const count = z.number().nonnegative();
const total = z.string().regex(/^-?\d+(\.\d+)?$/);
const counts = z.record(z.string(), count);
const listed = <T extends z.ZodType>(item: T) => z.object({ count, listed: z.array(item) });

const summary = z.object({
  output: z.string(), inputs: count, jobs: count, parser: z.enum(['kernel', 'csv-parse', 'spark']), inputBytes: count, bytes: count,
  rows: z.object({ read: count, duplicates: count, rejected: count, counted: count }),
  rejectedBy: counts, rejectsFile: z.string(), emptyLines: count, unknownRegion: count, users: count, regions: count, groups: count,
  files: count, outputBytes: count, valueScale: count, geoDatabase: z.object({ type: z.string(), buildDate: z.string() }),
  memory: z.object({ limit: count, peakRss: count }),
  spill: z.object({ bytes: count, files: count, rows: count, splits: count }),
  runs: z.object({ made: count, spilled: count, merges: count }),
  seconds: count, phases: z.record(z.enum(phases), count), megabytesPerSecond: count, rowsPerSecond: count,
  state: z.object({ folder: z.string(), commit: count, isUnchanged: z.boolean(), isRepublished: z.boolean(), knownInputs: count, logs: count, forgotten: count }).optional(),
  leftBehind: z.array(z.string()), version: z.string(),
  engine: z.literal('spark').optional(), spark: z.object({
    version: z.string(), master: z.string(), cores: count, application: z.string(), tasks: count, failedTasks: count, shuffledBytes: count,
  }).optional(),
});

const report = z.object({
  format: z.literal(1), run: z.string(), version: z.string(), node: z.string(),
  machine: z.object({ platform: z.string(), arch: z.string(), processors: count, memoryBytes: count }),
  startedAt: z.iso.datetime(), endedAt: z.iso.datetime(),
  options: z.record(z.string(), z.unknown()),
  summary,
  samples: z.array(z.object({ seconds: count, phase: z.enum(phases), inputBytes: count, bytes: count, read: count, resident: count, spilledBytes: count })),
  memory: z.object({ limitBytes: count, peakBytes: count, budget: z.record(z.string(), z.union([z.number(), z.boolean()])) }),
  inputs: listed(z.object({ name: z.string(), bytes: count.nullable(), content: z.string().nullable(), rows: count, rejected: count, rejectedBy: counts })),
  result: z.object({
    total, logs: count, rows: count,
    regions: listed(z.object({ region: z.string(), total, logs: count, rows: count })),
    distribution: z.array(z.object({ from: total, to: total, rows: count })),
    top: z.array(z.object({ user: z.string(), region: z.string(), total, logs: count })),
  }),
  files: listed(z.object({ path: z.string(), rows: count, bytes: count })),
  warnings: z.array(z.string()),
});

/** Throws an Error that says where it is none. What it has besides is left out. */
export function parseReport(text: string): RunReport {
  const { data, error } = report.safeParse(JSON.parse(text));
  if (error) throw new Error(error.issues.slice(0, 3).map(({ path, message }) => `${path.join('.') || 'all of it'}: ${message}`).join('; '));
  return { ...data, summary: { state: undefined, ...data.summary } };
}
