/**
 * Where the value of an option comes from: its flag, else the variable `ETL_STREAM_<NAME>`, else the configuration file, else what
 * the table says. An option of a run is said once for all commands that have it: `ETL_STREAM_MEMORY`, `memory`. One that
 * a command has alone is said as `ETL_STREAM_GENERATE_FILES`, `generate: { files }`.
 */
import { EtlError } from '../../core/errors.ts';
import type { ConfigFile } from './config-file.ts';
import { near } from './near.ts';
import { allCommands, keyOf, optionsOf, type CommandSpec, type OptionSpec, type Setting } from './spec.ts';
import { program } from './table.ts';

const PREFIX = 'ETL_STREAM_';
const ofRuns = new Set(optionsOf(program).map(({ name }) => name));
/** It says which file is read, so it cannot stand in one. */
export const CONFIG_VARIABLE = `${PREFIX}CONFIG`;

/** The section of a file that an option stands in; undefined: none, it is of a run, and of all others that have one of its name. */
export function sectionOf(command: CommandSpec, option: OptionSpec): string | undefined {
  return !option.isOwn && ofRuns.has(option.name) ? undefined : command.name;
}

export function variableOf(command: CommandSpec, option: OptionSpec): string {
  const section = sectionOf(command, option);
  return `${PREFIX}${section === undefined ? '' : `${section}-`}${option.name}`.toUpperCase().replaceAll('-', '_');
}

/** `memory`, `generate.files`. */
export function pathOf(command: CommandSpec, option: OptionSpec): string {
  const section = sectionOf(command, option);
  return section === undefined ? keyOf(option) : `${section}.${keyOf(option)}`;
}

export interface Said {
  /** By flags, parsed, by key. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: ConfigFile | undefined;
}

/** The effective value of each option of a command. Throws ETL_USAGE with what says something wrong. */
export function settle(command: CommandSpec, { flags, environment, file }: Said): Setting[] {
  checkVariables(environment);
  return optionsOf(command).map((option): Setting => {
    const flag = flags[keyOf(option)];
    if (flag !== undefined) return { option, value: flag, origin: { from: 'flag' } };
    if (!option.isCommandLineOnly) {
      const variable = variableOf(command, option);
      const text = environment[variable];
      if (text !== undefined) return { option, value: fromVariable(option, text, variable), origin: { from: 'environment', variable } };
      const key = pathOf(command, option);
      const value = file?.values.get(key);
      if (file && value !== undefined) return { option, value, origin: { from: 'file', file: file.path, key } };
    }
    return { option, value: option.value, origin: { from: 'default' } };
  });
}

/** What a command is given: its options by key, the unsaid left out. Throws ETL_USAGE when one lacks that it needs. */
export function flagsOf(settings: readonly Setting[]): Record<string, unknown> {
  const lacking = settings.find(({ option, value }) => option.isRequired && value === undefined);
  if (lacking) throw new EtlError('ETL_USAGE', `The option --${lacking.option.name} is needed: ${lacking.option.about}.`);
  return Object.fromEntries(settings.flatMap(({ option, value }) => (value === undefined ? [] : [[keyOf(option), value] as const])));
}

/** What a text comes to that is not on the command line; `where` is what it was said by. Throws ETL_USAGE that names it. */
export function parseText(option: OptionSpec, text: string, where: string): unknown {
  try {
    return option.kind?.parse ? option.kind.parse(text, where) : text;
  } catch (error) {
    if (!(error instanceof EtlError) || error.message.startsWith(where)) throw error;
    throw new EtlError('ETL_USAGE', `${where}: ${error.message}`, { cause: error });
  }
}

function fromVariable(option: OptionSpec, text: string, variable: string): unknown {
  const { kind, negation } = option;
  const truth = /^(true|yes|on|1)$/i.test(text) ? true : /^(false|no|off|0)$/i.test(text) ? false : undefined;
  if (kind === undefined) {
    if (truth === undefined) throw new EtlError('ETL_USAGE', `${variable} must be true or false, not ${JSON.stringify(text)}.`);
    return truth;
  }
  if (negation !== undefined && text === 'false') return false;
  if (kind.isRepeatable) return text.split('\n').filter((line) => line !== '').map((line) => parseText(option, line, variable));
  return parseText(option, text, variable);
}

/** Throws ETL_USAGE for a variable of our name that says nothing, which is more often a slip than meant. */
function checkVariables(environment: Said['environment']): void {
  const ours = Object.keys(environment).filter((name) => name.startsWith(PREFIX));
  if (ours.length === 0) return; // nearly always
  const known = new Set([CONFIG_VARIABLE]);
  for (const { command } of allCommands(program)) {
    for (const option of optionsOf(command)) if (!option.isCommandLineOnly) known.add(variableOf(command, option));
  }
  const unknown = ours.find((name) => !known.has(name));
  if (unknown === undefined) return;
  const meant = near(unknown, [...known]);
  throw new EtlError('ETL_USAGE', `The environment variable ${unknown} is no option of etl-stream.`, {
    hint: meant === undefined ? 'etl-stream config prints all that there are.' : `Did you mean ${meant}?`,
  });
}
