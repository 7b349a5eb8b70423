/**
 * What a run says that Spark cannot do: each is refused with a sentence that names the option and a hint, never ignored. Options of the command
 * line and of the library alike; where one was said by a file or the environment, the command line adds that.
 */
import { EtlError } from '../core/errors.ts';
import type { JobOptions, RunOptions } from '../core/options.ts';

interface Refusal {
  readonly option: keyof RunOptions;
  /** Whether what was said of it is refused; without it, whatever was said. */
  readonly isRefused?: (options: RunOptions) => boolean;
  readonly message: string;
  readonly hint: string;
}

const STATE_HINT = 'Leave it out: a Spark job reads all of its inputs, and its output is a dataset without a state.';

export const refusals: readonly Refusal[] = [
  {
    option: 'memory', message: '--memory limits this process, and with Spark the work is done by its executors',
    hint: 'Say theirs by --conf spark.executor.memory=4g; with a local master, that of the driver: --conf spark.driver.memory=4g.',
  },
  {
    option: 'jobs', message: '--jobs is a number of threads of this process, and with Spark the work is done by its executors',
    hint: 'Say it by --master "local[4]", or of a cluster by --conf spark.executor.cores=4.',
  },
  {
    option: 'temp', message: '--temp is a folder of this machine, and Spark has temporary files on each of its own',
    hint: 'Say it by --conf spark.local.dir=/scratch, or as the cluster is configured.',
  },
  {
    option: 'maxSpill', message: '--max-spill limits temporary files of this process, and Spark has no such limit',
    hint: 'Leave it out; the disks that spark.local.dir names are the limit.',
  },
  { option: 'state', isRefused: ({ state }) => typeof state === 'string', message: '--state names what runs continue from, and a Spark job continues from none', hint: STATE_HINT },
  { option: 'checkpoint', message: '--checkpoint says when the state is committed, and a Spark job has none', hint: STATE_HINT },
  { option: 'dedupWindow', message: '--dedup-window forgets ids of earlier runs, and a Spark job knows none', hint: STATE_HINT },
  {
    option: 'sniff', isRefused: ({ sniff }) => sniff === true, message: '--sniff guesses dialects by what stands in the inputs, which a Spark job does not',
    hint: 'Say what they are by --delimiter, --quote and --no-header; etl-stream FILE --sniff --explain shows what a guess would be.',
  },
  {
    option: 'onError', isRefused: ({ onError }) => onError === 'repair', message: '--on-error repair needs the parser of a local run, which reads a malformed row twice',
    hint: 'Say --on-error reject: rejects can be mended and fed back, see --rejects-format csv.',
  },
  {
    option: 'encoding', isRefused: ({ encoding }) => encoding === 'utf-16le' || encoding === 'utf-16be', message: '--encoding of UTF-16 has line ends that Spark cannot divide files by',
    hint: 'Turn the files into UTF-8 first, by iconv -f UTF-16 -t UTF-8, or run without --engine spark.',
  },
  {
    option: 'dialect', isRefused: ({ dialect }) => dialect?.escape !== undefined && dialect.escape !== (dialect.quote ?? '"'),
    message: '--escape of anything but the quote itself is no dialect of a Spark job', hint: 'Run without --engine spark.',
  },
  {
    option: 'inputs', isRefused: ({ inputs }) => Array.isArray(inputs) && inputs.includes('-'), message: 'Standard input is one stream of one machine, which no cluster can read',
    hint: 'Name files, folders or URLs.',
  },
];

/** Throws ETL_USAGE for the first thing that Spark cannot do. */
export function refuse(options: RunOptions): void {
  const refused = refusals.find(({ option, isRefused }) => (isRefused ? isRefused(options) : options?.[option as keyof JobOptions] !== undefined));
  if (refused) throw new EtlError('ETL_USAGE', `${refused.message}.`, { hint: refused.hint });
}
