/** `etl-stream [inputs...]`: the job, its progress and its summary. */
import { EventEmitter } from 'node:events';
import { run, type JobEvents, type RunOptions, type Summary } from '../index.ts';
import { availableMemory, defaultMemory } from '../core/memory-limit.ts';
import { DEFAULT_OUTPUT } from '../core/options.ts';
import { EXIT_DONE, untilSignalled } from './exit.ts';
import { tellGuess } from './guess.ts';
import { inputOptionsOf, type InputFlags } from './inputs.ts';
import { tellBlock, warn } from './messages.ts';
import { withMetrics } from './metrics.ts';
import { printableJson } from './printable.ts';
import { showProgress } from './progress/show.ts';
import { formatSummary } from './summary.ts';

export interface RunFlags extends InputFlags, Pick<RunOptions,
  'output' | 'overwrite' | 'rejectsFormat' | 'geoDb' | 'geoField' | 'groupBy' | 'compression' | 'parquetEncoding'
  | 'report' | 'state' | 'checkpoint' | 'dedupWindow' | 'temp' | 'jobs' | 'memory' | 'maxSpill'> {
  readonly explain?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly metricsFile?: string;
  readonly color?: boolean;
}

export async function runCommand(inputs: readonly string[], flags: RunFlags): Promise<number> {
  const { output, overwrite, rejectsFormat, geoDb, geoField, groupBy, compression, parquetEncoding, report, state, checkpoint, dedupWindow, temp, jobs, memory, maxSpill } = flags;
  const { json, quiet, metricsFile, color } = flags;
  const options: RunOptions = {
    ...inputOptionsOf(flags),
    inputs, output, overwrite, rejectsFormat, geoDb, geoField, groupBy, compression, parquetEncoding, report, state, checkpoint, dedupWindow, temp, jobs, memory, maxSpill,
  };

  if (flags.explain) return (await import('./commands.ts')).explainCommand(options, { json });
  if (!quiet) warnOfLimit(memory);
  const show = quiet ? undefined : showProgress({ color });
  const events = new EventEmitter<JobEvents>().on('progress', (progress) => show?.update(progress));
  const onGuess = quiet ? undefined : tellGuess;
  const work = (): Promise<Summary> => untilSignalled((signal, pause) => run(options, { signal, pause, events, onGuess }), state !== false)
    .finally(() => show?.end()); // what is told next stands alone
  const summary = await (metricsFile === undefined ? work() : withMetrics(metricsFile, output ?? DEFAULT_OUTPUT, work));
  if (json) process.stdout.write(`${printableJson(summary)}\n`);
  else if (!quiet) tellBlock(formatSummary(summary, groupBy), 'done', { summary });
  return EXIT_DONE;
}

/** Nobody finds out otherwise why the system killed the run. */
function warnOfLimit(memory: number | undefined): void {
  const available = availableMemory();
  const limit = memory ?? defaultMemory(available);
  if (limit <= available) return;
  const megabytes = (bytes: number): string => `${Math.floor(bytes / 1e6)}MB`;
  warn(`the run may take ${megabytes(limit)}, its control group or machine has ${megabytes(available)}: the system may kill it`, { limit, available });
}
