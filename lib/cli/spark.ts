/** `etl-stream run --engine spark`: the job on a Spark cluster, followed from here; `etl-stream spark --emit`: the same, for others to submit. */
import { EventEmitter } from 'node:events';
import { EtlError } from '../core/errors.ts';
import { emitSparkJob, runOnSpark, type RunOptions, type SparkProgress, type Summary } from '../index.ts';
import { EXIT_DONE, untilSignalled } from './exit.ts';
import { runOptionsOf, type RunFlags } from './inputs.ts';
import { tell, tellBlock } from './messages.ts';
import { printable, printableJson } from './printable.ts';
import { showFacts } from './progress/show.ts';
import { SparkFacts } from './progress/spark-facts.ts';

/** `finish` does the work and tells what came of it, as of every run; gives the exit code. */
export async function runOnSparkCommand(options: RunOptions, flags: RunFlags, finish: (work: () => Promise<Summary>) => Promise<number>): Promise<number> {
  const { explain, quiet, color, master, sparkSubmit, conf } = flags;
  if (explain) throw new EtlError('ETL_USAGE', '--explain tells of threads and memory of this process, and with Spark it has neither.', { hint: 'Leave out --engine spark: inputs, columns and rules are the same.' });
  const show = quiet ? undefined : showFacts(new SparkFacts(), { color });
  const events = new EventEmitter<{ progress: [SparkProgress] }>().on('progress', (progress) => show?.update(progress));
  return finish(() => untilSignalled((signal) => runOnSpark(options, { master, sparkSubmit, conf }, { signal, events, onLog: tellLog }))
    .finally(() => show?.end()));
}

export interface EmitFlags extends RunFlags {
  readonly emit: string;
}

export async function emitCommand(inputs: readonly string[], flags: EmitFlags): Promise<number> {
  if (inputs.length === 0) throw new EtlError('ETL_USAGE', 'No input is named: files, folders or URLs, as the cluster knows them.');
  const { folder } = await emitSparkJob(runOptionsOf(inputs, flags), flags.emit);
  if (flags.json) process.stdout.write(`${printableJson({ folder })}\n`);
  else if (!flags.quiet) tell(`the job is in ${flags.emit}: README.md there says how it is submitted`, { folder });
  return EXIT_DONE;
}

function tellLog(lines: readonly string[]): void {
  tellBlock(lines.map((line) => `${printable(line.replaceAll('\t', '  '))}\n`).join(''), 'what Spark said last', { log: lines });
}
