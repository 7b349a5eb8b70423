/** `etl-stream [inputs...]`, `etl-stream run [inputs...]`: the job, its progress and its summary. */
import { EventEmitter } from 'node:events';
import { run, type JobEvents, type Summary } from '../index.ts';
import { availableMemory, defaultMemory } from '../core/memory-limit.ts';
import { EtlError } from '../core/errors.ts';
import { DEFAULT_OUTPUT } from '../core/options.ts';
import { EXIT_DONE, untilSignalled } from './exit.ts';
import { tellGuess } from './guess.ts';
import { runOptionsOf, type RunFlags } from './inputs.ts';
import { tellBlock, warn } from './messages.ts';
import { withMetrics } from './metrics.ts';
import type { CommandContext, Setting } from './options/spec.ts';
import { printableJson } from './printable.ts';
import { showProgress } from './progress/show.ts';
import { formatSummary } from './summary.ts';

/** Those of options/run-options.ts: a run would load that as one more file. */
const SPARK_OPTIONS = ['master', 'spark-submit', 'conf'];

export async function runCommand(inputs: readonly string[], flags: RunFlags, { settings }: CommandContext): Promise<number> {
  const { explain, json, quiet, color, state, memory } = flags;
  const options = runOptionsOf(inputs, flags);
  if (flags.engine === 'spark') return (await import('./commands.ts')).runOnSparkCommand(options, flags, (work) => runAndTell(flags, work));
  refuseSparkOptions(settings);
  if (explain) return (await import('./commands.ts')).explainCommand(options, { json });
  if (!quiet) warnOfLimit(memory);
  const show = quiet ? undefined : showProgress({ color });
  const events = new EventEmitter<JobEvents>().on('progress', (progress) => show?.update(progress));
  const onGuess = quiet ? undefined : tellGuess;
  return runAndTell(flags, () => untilSignalled((signal, pause) => run(options, { signal, pause, events, onGuess }), state !== false)
    .finally(() => show?.end())); // what is told next stands alone
}

/** Does the job, and tells what came of it. Gives the exit code. */
async function runAndTell({ output, groupBy, json, quiet, metricsFile }: RunFlags, work: () => Promise<Summary>): Promise<number> {
  const summary = await (metricsFile === undefined ? work() : withMetrics(metricsFile, output ?? DEFAULT_OUTPUT, work));
  if (json) process.stdout.write(`${printableJson(summary)}\n`);
  else if (!quiet) tellBlock(formatSummary(summary, groupBy), 'done', { summary });
  return EXIT_DONE;
}

/** A configuration file or an environment may say how Spark is reached and leave the engine to the command line; who says it there means Spark. */
function refuseSparkOptions(settings: readonly Setting[]): void {
  const said = settings.find(({ option, origin }) => origin.from === 'flag' && SPARK_OPTIONS.includes(option.name));
  if (said) throw new EtlError('ETL_USAGE', `--${said.option.name} says how Spark is reached, and the run is one of this machine.`, { hint: 'Add --engine spark, or leave it out.' });
}

/** Nobody finds out otherwise why the system killed the run. */
function warnOfLimit(memory: number | undefined): void {
  const available = availableMemory();
  const limit = memory ?? defaultMemory(available);
  if (limit <= available) return;
  const megabytes = (bytes: number): string => `${Math.floor(bytes / 1e6)}MB`;
  warn(`the run may take ${megabytes(limit)}, its control group or machine has ${megabytes(available)}: the system may kill it`, { limit, available });
}
