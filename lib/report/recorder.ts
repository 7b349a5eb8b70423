/**
 * Gathers what a report tells while a run goes from part to part (pipeline/checkpoints.ts), and makes the report at its end.
 * Memory: a few numbers for each of the first MOST_LISTED inputs.
 */
import { addCounters, newCounters, type Counters } from '../core/counters.ts';
import { availableMemory } from '../core/memory-limit.ts';
import type { MemoryBudget } from '../core/memory-budget.ts';
import type { JobOptions } from '../core/options.ts';
import { availableProcessors } from '../core/processors.ts';
import { reasonsOf, STATUSES } from '../core/rejects.ts';
import { runName } from '../core/run-name.ts';
import type { Sample } from '../progress.ts';
import { summarize, type Outcome } from '../summary.ts';
import type { InputReport, RunReport } from './report.ts';
import { ResultCollector, type ResultCollectorOptions } from './result.ts';
import { warningsOf } from './warnings.ts';

/** Inputs and files that are told one by one: what else there is tells the state's ledger, and _etl/dataset.json. */
export const MOST_LISTED = 1000;
/** Paths as they were given. */
const MOST_PATHS = 100;

/** What an input is, as far as it is told. */
export interface RecordedInput {
  readonly number: number;
  readonly name: string;
  readonly size: number | undefined;
  readonly content?: string | undefined;
}

/** What is known only when all is written. */
export interface RunEnd {
  readonly outcome: Omit<Outcome, 'inputs'>;
  readonly budget: MemoryBudget;
  readonly samples: readonly Sample[];
  readonly files: readonly { readonly path: string; readonly rows: number; readonly bytes: number }[];
  /** Reports of earlier runs that the dataset could not be given. */
  readonly lost: number;
}

export class RunRecorder {
  readonly #options: JobOptions;
  readonly #startedAt = new Date();
  readonly #counters = newCounters();
  readonly #inputs: InputReport[] = [];
  #inputCount = 0;
  #forgotten = 0;
  #result: ResultCollector | undefined;

  constructor(options: JobOptions) {
    this.#options = options;
  }

  /** The result of the run is what this is shown from now on. Throws ETL_MEMORY. */
  startResult(options: ResultCollectorOptions): ResultCollector {
    return (this.#result = new ResultCollector(options));
  }

  /** A part of the run is done, but for its commit: what it counted, read, in order, and how many ids it forgot. */
  addPart(counters: Readonly<Counters>, inputs: readonly RecordedInput[], forgotten = 0): void {
    this.#forgotten += forgotten;
    addCounters(this.#counters, counters, undefined);
    const rejectedIn = byInput(counters.rejectedIn);
    for (const { number, name, size, content } of inputs.slice(0, Math.max(0, MOST_LISTED - this.#inputs.length))) {
      const statuses = rejectedIn.get(number) ?? [];
      this.#inputs.push({
        name, bytes: size ?? null, content: content ?? null, rows: counters.readBy.get(number) ?? 0,
        rejected: statuses.reduce((sum, [, rows]) => sum + rows, 0), rejectedBy: reasonsOf(statuses, this.#options.rules),
      });
    }
    this.#inputCount += inputs.length;
  }

  /** After the last part. */
  finish({ outcome, budget, samples, files, lost }: RunEnd): RunReport {
    const { rules } = this.#options;
    const { limit } = budget;
    const summary = summarize(this.#counters, rules, limit, {
      ...outcome, inputs: this.#inputCount, state: outcome.state && { ...outcome.state, forgotten: this.#forgotten },
    });
    const result = this.#result!.finish(outcome.valueScale);
    const inputs = { count: this.#inputCount, listed: this.#inputs };
    const endedAt = new Date();
    return {
      format: 1,
      // Not before: random bytes take OpenSSL 0.8 MB, which a run that has not begun would count as the process's.
      run: runName(this.#startedAt),
      version: outcome.version,
      node: process.versions.node,
      machine: { platform: process.platform, arch: process.arch, processors: availableProcessors(), memoryBytes: availableMemory() },
      startedAt: this.#startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      options: optionsOf(this.#options, { jobs: budget.jobs, memory: limit, valueScale: outcome.valueScale }),
      summary,
      samples,
      memory: { limitBytes: limit, peakBytes: summary.memory.peakRss, budget: { ...budget } },
      inputs,
      result,
      files: { count: files.length, listed: files.slice(0, MOST_LISTED).map(({ path, rows, bytes }) => ({ path, rows, bytes })) },
      warnings: warningsOf({ summary, result, lost, now: endedAt, embedded: this.#options.geoDb === undefined, byUser: this.#options.groupBy === 'user' }),
    };
  }
}

/** What options were in effect: where one was left to the run, by what it decided. */
function optionsOf({ rules, ...options }: JobOptions, decided: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const told = { ...options, inputs: options.inputs.slice(0, MOST_PATHS), rules: rules.map(({ column, name }) => `${column}:${name}`), ...decided };
  return Object.fromEntries(Object.entries(told).map(([name, value]) => [name, value ?? null]));
}

/** Counts by status of each input that has any. */
function byInput(rejectedIn: ReadonlyMap<number, number>): Map<number, [status: number, rows: number][]> {
  const inputs = new Map<number, [number, number][]>();
  for (const [key, rows] of rejectedIn) {
    const number = Math.floor(key / STATUSES);
    const statuses = inputs.get(number);
    if (statuses) statuses.push([key % STATUSES, rows]);
    else inputs.set(number, [[key % STATUSES, rows]]);
  }
  return inputs;
}
