/** The command line, by commander, from the table of options/table.ts: nothing is said here of any one of them. */
import { isatty } from 'node:tty';
import { Command, Option } from 'commander';
import { packageVersion } from '../core/version.ts';
import { ProgramHelp } from './help.ts';
import { keyOf, optionsOf, type CommandSpec, type OptionSpec } from './options/spec.ts';
import { program as table } from './options/table.ts';

/** What the command line comes to. */
export interface Called {
  readonly command: CommandSpec;
  readonly values: readonly string[];
  /** Options that were said, parsed, by their keys. */
  readonly flags: Readonly<Record<string, unknown>>;
}

export interface ProgramOptions {
  /** The command line: a command that no word of it names is not called, and gets no options. */
  readonly words: readonly string[];
  /** Told what was called; its promise is waited for. */
  called(call: Called): Promise<void>;
}

/** Builds the program. It throws CommanderError on wrong usage, and after help and version were printed; ETL_USAGE for a value of the wrong kind. */
export function createProgram(options: ProgramOptions): Command {
  const program = commandOf(table, options);
  program.version(packageVersion(), '-V, --version', 'print the version').helpCommand('help [command]', 'show what a command accepts');
  return program;
}

function commandOf(spec: CommandSpec, options: ProgramOptions): Command {
  const command = new Command(spec.name);
  command
    .description(spec.about)
    .enablePositionalOptions() // else the options of a command below are taken for its own
    .exitOverride()
    .helpOption('-h, --help', 'print all of this; -h: what is needed most')
    .configureOutput({ outputError: () => undefined }) // main.ts reports it
    .action(async () => {
      const values = command.processedArgs.flat().filter((value): value is string => value !== undefined);
      if (spec.readsStandardInput && values.length === 0 && isatty(0)) command.help({ error: true });
      await options.called({ command: spec, values: spec.readsStandardInput && values.length === 0 ? ['-'] : values, flags: saidOf(command, spec) });
    });
  const isShort = options.words.includes('-h') && !options.words.includes('--help');
  command.createHelp = () => new ProgramHelp(spec, isShort);
  for (const { name, about, isOptional, isVariadic } of spec.arguments) {
    const shown = `${name}${isVariadic ? '...' : ''}`;
    command.argument(isOptional ? `[${shown}]` : `<${shown}>`, about);
  }
  for (const group of spec === table || options.words.includes(spec.name) ? spec.groups : []) {
    command.optionsGroup(`${group.title}:`);
    for (const option of group.options) addOption(command, option);
  }
  for (const child of spec.commands ?? []) command.addCommand(commandOf(child, options));
  return command;
}

function addOption(command: Command, { name, short, kind, about, negation, fallback }: OptionSpec): void {
  const preset = fallback === undefined ? '' : ` (default: ${fallback})`;
  if (kind !== undefined || negation === undefined) {
    const option = new Option(`${short ? `-${short}, ` : ''}--${name}${kind ? ` <${kind.placeholder}>` : ''}`, `${about}${kind?.choices ? `: ${kind.choices.join(', ')}` : ''}${preset}`);
    if (kind?.isRepeatable) option.argParser((text: string, before?: unknown[]) => [...before ?? [], kind.parse?.(text, `--${name}`) ?? text]);
    else if (kind?.parse) option.argParser((text: string) => kind.parse!(text, `--${name}`));
    command.addOption(option);
  }
  if (negation !== undefined) command.addOption(new Option(`--no-${name}`, negation));
}

/** Also what the commands above it were told, of options that it has. */
function saidOf(command: Command, spec: CommandSpec): Record<string, unknown> {
  const flags: Record<string, unknown> = {};
  for (const key of optionsOf(spec).map(keyOf)) {
    for (let at: Command | null = command; at && !(key in flags); at = at.parent) {
      if (at.getOptionValueSource(key) === 'cli') flags[key] = at.getOptionValue(key);
    }
  }
  return flags;
}
