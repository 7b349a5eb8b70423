/** Options that say what is told, and how: of many commands. */
import { file, oneOf } from './kinds.ts';
import type { OptionSpec } from './spec.ts';

export const json: OptionSpec = { name: 'json', about: 'print it as JSON on stdout' };
export const quiet: OptionSpec = { name: 'quiet', short: 'q', about: 'print nothing but errors', isCommon: true };

export const explain: OptionSpec = {
  name: 'explain', about: 'say what a run would do, and do nothing', isCommon: true, isCommandLineOnly: true,
  detail: 'Say what a run would do, and do nothing: inputs and their columns, what was counted before, jobs, shares of the memory, what is at the output. '
    + 'Nothing is written, and standard input is not read; what the run would fail with before its first row is the error of this, too. With `--json`: all of it.',
};

export const color: OptionSpec = {
  name: 'color', about: '', negation: 'no colors; NO_COLOR says the same',
  detail: 'No colors, which there are on a terminal unless `NO_COLOR` is set or `TERM` is `dumb`, and everywhere where `FORCE_COLOR` is set.',
};

export const logFormats = ['text', 'json'] as const;
export const logFormat: OptionSpec = {
  name: 'log-format', kind: oneOf('format', logFormats), about: 'messages on stderr as text or JSON lines', fallback: logFormats[0],
  detail: 'Messages on stderr as text, or as JSON lines (level, time, code, message, hint) for whatever collects logs.',
};

export const metricsFile: OptionSpec = {
  name: 'metrics-file', kind: file, about: 'write what the run did in the format of Prometheus',
  detail: 'Write what the run did, also when it failed, in the text format of Prometheus, for the textfile collector of node_exporter: name it `*.prom`.',
};

/** That there is completion for. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** Which configuration file is read: not in one. */
export const config: OptionSpec = {
  name: 'config', kind: file, about: 'configuration file', fallback: './etl-stream.config.json or .ts', negation: 'read no configuration file', isCommandLineOnly: true,
  detail: 'The configuration file, which may have all other options; the folder that the command runs in is searched for one. `--no-config`: read none.',
};

/** Of every command. */
export const always: readonly OptionSpec[] = [logFormat, color, config];
