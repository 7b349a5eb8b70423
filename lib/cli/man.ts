/**
 * The man page, in the macros of man(7), from the table. Written by the build: it is no part of the program.
 * Backslashes, and dots and quotes that begin a line, mean something to roff: `roff` takes that from them.
 */
import { CONFIG_VARIABLE, pathOf, sectionOf, variableOf } from './options/settings.ts';
import { allCommands, optionsOf, type ArgumentSpec, type CommandSpec, type OptionSpec } from './options/spec.ts';

export function manPage(program: CommandSpec, version: string): string {
  const below = [...allCommands(program)].slice(1);
  return [
    `.TH ETL\\-STREAM 1 "" "etl\\-stream ${version}" "User Commands"`,
    '.SH NAME', `etl\\-stream \\- ${roff(program.about.replace(/\.$/, ''))}`,
    '.SH SYNOPSIS', synopsis('etl-stream', program), ...below.flatMap(({ path, command }) => ['.br', synopsis(path, command)]),
    '.SH DESCRIPTION', ...DESCRIPTION.map(roff),
    '.SH OPTIONS', ...program.groups.flatMap(({ title, options }) => [`.SS ${roff(title)}`, ...options.flatMap((option) => optionLines(program, option))]),
    '.TP', '.BR \\-h ", " \\-\\-help', 'Print what is needed most, or all there is.', '.TP', '.BR \\-V ", " \\-\\-version', 'Print the version.',
    '.SH COMMANDS', ...below.flatMap(({ path, command }) => commandLines(path, command)),
    '.SH CONFIGURATION', ...CONFIGURATION.map(roff),
    '.SH EXIT STATUS', ...EXIT_STATUS.flatMap(([code, what]) => ['.TP', `.B ${code}`, roff(what)]),
    '.SH EXAMPLES', ...program.examples.flatMap(([line, what]) => ['.TP', `.B ${roff(line)}`, what === '' ? '' : roff(`${what.charAt(0).toUpperCase()}${what.slice(1)}.`)]).filter((line) => line !== ''),
  ].join('\n') + '\n';
}

const DESCRIPTION = [
  'etl-stream reads CSV logs, counts each log_id once, turns the IP address into a region, sums the watch time per user and region, and publishes compressed Parquet files, partitioned by region.',
  'A run continues from what earlier runs into the same output have counted, unless --no-state says otherwise: only what is new is read and counted.',
];

const CONFIGURATION = [
  `Every option can also be said by an environment variable, ETL_STREAM_ and its name (ETL_STREAM_MEMORY=1GB; ETL_STREAM_HEADER=false for --no-header), and by a key of etl-stream.config.json or etl-stream.config.ts in the folder that the command runs in, or of the file that --config or ${CONFIG_VARIABLE} names.`,
  'A flag is stronger than the environment, the environment than the file, the file than the default. etl-stream config prints the effective values.',
];

const EXIT_STATUS = [
  ['0', 'Done.'], ['1', 'Failed; what was published before is as it was.'], ['2', 'Wrong usage.'], ['3', 'Too many rows were rejected; of validate: a run would not take the inputs.'],
  ['129, 130, 143', 'Stopped by SIGHUP, SIGINT, SIGTERM.'],
] as const;

function synopsis(path: string, { arguments: given, groups }: CommandSpec): string {
  const options = groups.length === 0 ? '' : ' [\\fIoptions\\fR]';
  return `\\fB${roff(path)}\\fR${options}${given.map((argument) => ` ${argumentText(argument)}`).join('')}`;
}

function argumentText({ name, isOptional, isVariadic }: ArgumentSpec): string {
  const shown = `\\fI${roff(name)}\\fR${isVariadic ? ' ...' : ''}`;
  return isOptional ? `[${shown}]` : shown;
}

function commandLines(path: string, command: CommandSpec): string[] {
  const options = optionsOf(command);
  const own = options.filter((option) => sectionOf(command, option) !== undefined);
  const shared = options.filter((option) => !own.includes(option)).map(({ name, kind, negation }) => `--${kind === undefined && negation !== undefined ? 'no-' : ''}${name}`);
  return [
    `.SS ${roff(path)}`, roff(`${command.about.charAt(0).toUpperCase()}${command.about.slice(1)}.`),
    ...own.flatMap((option) => optionLines(command, option)),
    ...(shared.length === 0 ? [] : [...(own.length === 0 ? [] : ['.PP']), roff(`Takes, as a run does: ${shared.join(', ')}.`)]),
  ];
}

function optionLines(command: CommandSpec, option: OptionSpec): string[] {
  const { name, short, kind, about, negation, fallback, detail, isCommandLineOnly } = option;
  const value = kind ? ` \\fI${roff(kind.placeholder)}\\fR` : '';
  const forms = [
    ...(short && (kind || negation === undefined) ? [`\\fB\\-${short}\\fR${value}`] : []),
    ...(kind || negation === undefined ? [`\\fB\\-\\-${roff(name)}\\fR${value}`] : []),
    ...(negation === undefined ? [] : [`\\fB\\-\\-no\\-${roff(name)}\\fR`]),
  ];
  const sentence = detail ?? `${(about || negation!).charAt(0).toUpperCase()}${(about || negation!).slice(1)}.`;
  const choices = kind?.choices && !detail ? ` One of ${kind.choices.join(', ')}.` : '';
  const preset = fallback === undefined || sentence.includes('Default:') ? '' : ` Default: ${fallback}.`;
  const elsewhere = isCommandLineOnly ? '' : ` [${variableOf(command, option)}, ${pathOf(command, option)}]`;
  return ['.TP', forms.join(', '), roff(`${sentence}${choices}${preset}${elsewhere}`)];
}

/** Text of ours as roff: backquoted words are bold. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\(rs')
    .replaceAll('-', '\\-')
    .replace(/`([^`]*)`/g, '\\fB$1\\fR')
    .replace(/^([.'])/gm, '\\&$1');
}
