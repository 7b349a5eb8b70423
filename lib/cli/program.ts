/** The command line: what there is to say, in commander's terms. What it means stands in the commands' own files. */
import { isatty } from 'node:tty';
import { Command, InvalidArgumentError, Option } from 'commander';
import { compressions, DEFAULT_OUTPUT, groupings, parquetEncodings, rejectsFormats } from '../core/options.ts';
import { packageVersion } from '../core/version.ts';
import { addDialectOptions, wholeNumber } from './dialect.ts';
import type { GenerateFlags } from './generate.ts';
import { addInputOptions } from './inputs.ts';
import type { ParseFlags } from './parse.ts';
import { printable } from './printable.ts';
import type { RunFlags } from './run.ts';
import type { StateFlags } from './state.ts';
import type { ValidateFlags } from './validate.ts';

const DEFAULT_STATE = '.<name of output>.state beside the output';
const EXAMPLES = `
Examples:
  $ cat logs.csv | etl-stream
  $ etl-stream logs/ -o totals               again, when there are more logs: reads what is new, and adds it
  $ etl-stream logs/ -o totals --overwrite   begins afresh
  $ etl-stream a.csv b.csv --no-state --group-by user --json
  $ etl-stream validate logs/                what a run would reject
  $ etl-stream generate logs/ --size 1GB && etl-stream logs/

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 too many rows rejected, 129, 130 and 143 stopped by SIGHUP, SIGINT and SIGTERM.`;

/** Builds the program. `done` receives the exit code of the command that ran. Throws CommanderError on wrong usage. */
export function createProgram(done: (code: number) => void): Command {
  const program = new Command('etl-stream');
  program
    .description('Counts activity logs exactly once and publishes watch time per user and region as Parquet.')
    .version(packageVersion(), '-V, --version')
    .enablePositionalOptions()
    .showHelpAfterError('(etl-stream --help lists what is accepted)')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${printable(text.trimEnd().replace('\n(Did you mean', ' (Did you mean'))}\n`) })
    .argument('[inputs...]', 'files, folders (searched for *.csv), or - for standard input')
    .option('-o, --output <folder>', `where to publish (default: ${DEFAULT_OUTPUT})`)
    .option('--overwrite', 'begin afresh: replace an output that exists, once the new one is complete')
    .addOption(new Option('--rejects-format <format>', 'how rejected rows are written').choices(rejectsFormats).default('jsonl'))
    .option('--geo-db <file>', 'IP database in MMDB format (default: the embedded DB-IP Lite country database)')
    .option('--geo-field <path>', 'field of its records, such as subdivisions.0.iso_code (default: country.iso_code, else country_code)')
    .addOption(new Option('--group-by <what>', 'one row per region and user, or per user').choices(groupings).default('region'))
    .addOption(new Option('--compression <codec>', 'codec of the Parquet files').choices(compressions).default('zstd'))
    .addOption(new Option('--parquet-encoding <how>', 'smallest encodings, or plain for old readers').choices(parquetEncodings).default('auto'))
    .option('-j, --jobs <count>', 'most threads that work at once (default: as many as there are processors for it)', wholeNumber)
    .option('--state <folder>', `what earlier runs have counted, which is not counted again (default: ${DEFAULT_STATE})`)
    .option('--no-state', 'read all inputs, and keep nothing for later runs: the output is a plain folder')
    .option('--checkpoint <size>', 'how much is read before it is committed to the state, so that a run that ends early is continued (default: 4GB)')
    .option('--dedup-window <time>', 'forget ids of runs that are longer ago, such as 30d: what comes later counts again (default: none is forgotten)')
    .option('--temp <folder>', 'folder for temporary files (default: beside the output)')
    .option('--memory <size>', 'most memory that the process may have resident (default: half of what there is, 128MB to 2GB)')
    .option('--max-spill <size>', 'most that temporary files may take (default: no limit)')
    .option('--json', 'print the summary as JSON on stdout')
    .option('-q, --quiet', 'print nothing but errors')
    .helpCommand('help [command]', 'show what a command accepts')
    .addHelpText('after', EXAMPLES)
    .action(async (inputs: string[], flags: RunFlags, command: Command) => {
      if (inputs.length === 0 && isatty(0)) command.help({ error: true });
      const { runCommand } = await import('./run.ts');
      done(await runCommand(inputs.length === 0 ? ['-'] : inputs, flags));
    });

  addInputOptions(program);

  program
    .command('generate <folder>')
    .description('write realistic logs, the same bytes for the same arguments')
    .option('--files <count>', 'number of files', wholeNumber, 4)
    .option('--size <size>', 'bytes of all files together', '1GB')
    .option('--users <count>', 'number of different users', wholeNumber, 2_000_000)
    .option('--duplicates <share>', 'share of rows that are copies of earlier ones, 0-1', decimalNumber, 0.08)
    .option('--bad-rows <share>', 'share of rows with something wrong, 0-0.5', decimalNumber, 0)
    .option('--seed <number>', 'seed of the random numbers', wholeNumber, 1)
    .option('--overwrite', 'replace files of the same names')
    .option('-q, --quiet', 'print nothing but errors')
    .action(async (folder: string, flags: GenerateFlags) => {
      const { generateCommand } = await import('./generate.ts');
      done(await generateCommand(folder, flags));
    });

  const parse = program
    .command('parse [file]')
    .description('print the records of a CSV file (default: standard input), header included; what is malformed is told on stderr, as JSON lines')
    .requiredOption('--json', 'each record as a JSON array, one a line');
  addDialectOptions(parse)
    .action(async (file: string | undefined, flags: ParseFlags) => {
      const { parseCommand } = await import('./parse.ts');
      done(await parseCommand(file ?? '-', flags));
    });

  addInputOptions(program.command('validate').description('read inputs as a run would and print what it would reject, by file and reason; publish nothing'))
    .argument('[inputs...]', 'files, folders, or - for standard input')
    .option('--json', 'print all of it as JSON on stdout')
    .action(async (inputs: string[], flags: ValidateFlags, command: Command) => {
      if (inputs.length === 0 && isatty(0)) command.help({ error: true });
      const { validateCommand } = await import('./validate.ts');
      done(await validateCommand(inputs.length === 0 ? ['-'] : inputs, flags));
    });

  addState(program, done);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** `state` shows; an output that is called like one of its commands is named with its path: ./check. */
function addState(program: Command, done: (code: number) => void): void {
  const FOLDER = ['--state <folder>', `the state (default: ${DEFAULT_STATE})`] as const;
  const state = program
    .command('state')
    .description('show what the state of a dataset holds: commits, inputs, ids, sizes')
    .argument('<output>', 'the dataset')
    .enablePositionalOptions() // else the options of check and compact are taken for its own
    .option(...FOLDER)
    .option('--json', 'print all of it as JSON on stdout')
    .action(async (output: string, flags: StateFlags) => {
      const { showCommand } = await import('./state.ts');
      done(await showCommand(output, flags));
    });
  state
    .command('check')
    .description('verify the state and the dataset, one against the other; a line on stderr for each problem')
    .argument('<output>', 'the dataset')
    .option(...FOLDER)
    .action(async (output: string, flags: StateFlags) => {
      const { checkCommand } = await import('./state.ts');
      done(await checkCommand(output, { ...state.opts(), ...flags }));
    });
  state
    .command('compact')
    .description('merge what the state has of ids, and give back disk space')
    .argument('<output>', 'the dataset')
    .option(...FOLDER)
    .action(async (output: string, flags: StateFlags) => {
      const { compactCommand } = await import('./state.ts');
      done(await compactCommand(output, { ...state.opts(), ...flags }));
    });
  state
    .command('forget')
    .description('forget ids that were counted before a date: logs that come with them again count again; totals stay')
    .argument('<output>', 'the dataset')
    .requiredOption('--before <date>', 'such as 2026-11-01 (UTC), or 2026-11-01T12:00:00Z')
    .option(...FOLDER)
    .action(async (output: string, flags: StateFlags & { before: string }) => {
      const { forgetCommand } = await import('./state.ts');
      done(await forgetCommand(output, { ...state.opts(), ...flags }));
    });
}

function decimalNumber(text: string): number {
  if (!/^\d*\.?\d+$/.test(text)) throw new InvalidArgumentError('It must be a number such as 0.08.');
  return Number(text);
}
