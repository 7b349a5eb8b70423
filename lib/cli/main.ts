/** Arguments in, exit code out. Nothing else in the project touches the process's arguments, exit code or, but for colors (color.ts) and where a history stands (query/history.ts), environment. */
import { CommanderError } from 'commander';
import { EtlError } from '../core/errors.ts';
import { compileLess, keepHeapSmall } from '../core/resident.ts';
import { endAsFirstProcess, EXIT_DONE, EXIT_USAGE, reportError } from './exit.ts';
import { isJsonLog, setLogFormat } from './messages.ts';
import { findConfigFile } from './options/find-config.ts';
import { logFormat } from './options/message-options.ts';
import { near } from './options/near.ts';
import { CONFIG_VARIABLE, flagsOf, settle, variableOf } from './options/settings.ts';
import type { CommandSpec, Setting } from './options/spec.ts';
import { program } from './options/table.ts';
import { createProgram, type Called } from './program.ts';

/** Runs the command line `args` (without node and script) and gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  keepHeapSmall();
  watchOutput(!isCommand(args[0]) || args[0] === 'run');
  endAsFirstProcess();
  let code: number = EXIT_DONE;
  try {
    const called = async (call: Called): Promise<void> => {
      code = await runCalled(call);
    };
    await createProgram({ words: args, called }).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_DONE;
    if (error instanceof CommanderError && error.code.startsWith('commander.help')) return EXIT_USAGE;
    if (!isJsonLog() && wantsJson(args)) await setLogFormat('json');
    code = reportError(withHelp(error instanceof CommanderError ? usageOf(error) : error, args[0]));
    // A read from an idle device cannot be taken back and would keep the process alive, on Windows one from a pipe, too.
    process.exit(code);
  }
  return code;
}

async function runCalled({ command, values, flags }: Called): Promise<number> {
  const environment = process.env;
  const file = await configFile(flags.config, environment);
  const settings = settle(command, { flags, environment, file });
  await setLogFormat(settings.find(({ option }) => option === logFormat)?.value);
  const taken = flagsOf(settings);
  if (command === program) compileLess(); // a run, before it loads and compiles what it needs
  const handler = await command.load();
  try {
    return await handler.run(values, taken, { settings });
  } catch (error) {
    throw withCommand(withOrigin(error, settings), command, values[0]);
  }
}

/** What reads it is loaded when there is one: most runs have none. */
async function configFile(flag: unknown, environment: NodeJS.ProcessEnv) {
  if (flag === false) return undefined;
  const path = findConfigFile((flag as string | undefined) ?? environment[CONFIG_VARIABLE], '.');
  if (path === undefined) return undefined;
  const { readConfigFile } = await import('./options/config-file.ts');
  return readConfigFile(path, '.');
}

/** What is wrong with an option is told by its flag: this tells who said it, if it was not the command line. */
function withOrigin(error: unknown, settings: readonly Setting[]): unknown {
  if (!(error instanceof EtlError) || error.code !== 'ETL_USAGE') return error;
  const said = settings.find(({ option, origin }) => origin.from !== 'default' && new RegExp(`^--${option.name}\\b`).test(error.message));
  const where = said?.origin.from === 'environment' ? `the environment variable ${said.origin.variable}` : said?.origin.from === 'file' ? `${said.origin.key} in ${said.origin.file}` : undefined;
  if (where === undefined) return error;
  return new EtlError('ETL_USAGE', error.message, { cause: error.cause, hint: `It is said by ${where}.${error.hint === undefined ? '' : ` ${error.hint}`}` });
}

/** An input that is not there may have been meant to be a command. */
function withCommand(error: unknown, { commands = [] }: CommandSpec, value = ''): unknown {
  if (!(error instanceof EtlError) || error.code !== 'ETL_INPUT_NOT_FOUND' || error.hint !== undefined) return error;
  const meant = near(value, commands.map(({ name }) => name));
  return meant === undefined ? error : new EtlError(error.code, error.message, { cause: error.cause, hint: `Did you mean the command ${meant}?` });
}

/** The options of a command are in its own help. */
function withHelp(error: unknown, word: string | undefined): unknown {
  if (!(error instanceof EtlError) || error.code !== 'ETL_USAGE' || error.hint !== undefined || !isCommand(word)) return error;
  return new EtlError(error.code, error.message, { cause: error.cause, hint: `etl-stream ${word} --help lists what is accepted.` });
}

function isCommand(word: string | undefined): boolean {
  return program.commands?.some(({ name }) => name === word) === true;
}

/** Of a command line that could not be understood. */
function wantsJson(args: readonly string[]): boolean {
  const at = args.indexOf('--log-format');
  return args.includes('--log-format=json') || (at < 0 ? process.env[variableOf(program, logFormat)] : args[at + 1]) === 'json';
}

/** As every other error of usage. */
function usageOf(error: CommanderError): EtlError {
  const [said = '', meant] = error.message.replace(/^error: /, '').replace(/\.$/, '').split('\n');
  const hint = meant?.replace(/^\((.*)\)$/, '$1') ?? (error.code === 'commander.excessArguments' ? 'What has spaces in it, a path or a query, stands between quotes: "…".' : undefined);
  return new EtlError('ETL_USAGE', `${said.charAt(0).toUpperCase()}${said.slice(1)}.`, { ...(hint !== undefined && { hint }) });
}

/**
 * A reader of standard output that has seen enough (`etl-stream parse … | head`) is no error, anything else that keeps
 * data from it is one. Messages that nobody reads are no reason to fail.
 */
function watchOutput(isRun: boolean): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_DONE);
    // The terminal is gone, which SIGHUP says as well, maybe later.
    if (error.code === 'EIO' && process.stdout.isTTY) return void process.kill(process.pid, 'SIGHUP');
    const hint = isRun ? 'If the run was done by then, its output is published.' : 'Check where standard output goes: that there is space, and that it may be written to.';
    process.exit(reportError(new EtlError('ETL_OUTPUT_WRITE', `Cannot write to standard output: ${error.message}.`, { cause: error, hint })));
  });
}
