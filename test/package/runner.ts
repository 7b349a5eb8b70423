/**
 * A composite action's steps as the runner of GitHub runs them: bash with its options, inputs and defaults as variables, its files for
 * outputs and summaries, and its reading of the log for commands.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export interface Action {
  readonly inputs: Readonly<Record<string, { readonly required?: boolean; readonly default?: string }>>;
  readonly outputs: Readonly<Record<string, { readonly value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly ActionStep[] };
}

export interface ActionStep {
  readonly id?: string;
  readonly shell: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly run: string;
}

export interface Annotation {
  readonly kind: 'warning' | 'error';
  readonly properties: Readonly<Record<string, string>>;
  readonly message: string;
}

export interface StepsResult {
  readonly code: number;
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly annotations: readonly Annotation[];
}

export function readAction(file: string): Action {
  return parse(readFileSync(file, 'utf8')) as Action;
}

/** `workspace`: the folder of the checked out repository. `scratch`: an empty folder for the runner's own files. */
export function runAction(action: Action, path: string, workspace: string, scratch: string, given: Readonly<Record<string, string>>, more: Readonly<Record<string, string>> = {}): StepsResult {
  for (const [name, { required }] of Object.entries(action.inputs)) if (required && given[name] === undefined) throw new Error(`input ${name} is needed`);
  const inputs = Object.fromEntries(Object.entries(action.inputs).map(([name, input]) => [name, given[name] ?? input.default ?? '']));
  const outputsOf: Record<string, Record<string, string>> = {};
  mkdirSync(join(scratch, 'temp'), { recursive: true });
  const summary = join(scratch, 'summary.md');
  writeFileSync(summary, '');
  let log = '';
  let code = 0;
  for (const [index, step] of action.runs.steps.entries()) {
    if (code !== 0) break;
    const script = join(scratch, `step-${index}.sh`);
    const output = join(scratch, `output-${index}`);
    writeFileSync(script, step.run);
    writeFileSync(output, '');
    const env = Object.fromEntries(Object.entries(step.env ?? {}).map(([name, value]) => [name, evaluated(value, { inputs })]));
    const { status, stdout, stderr } = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], {
      cwd: workspace, encoding: 'utf8',
      env: {
        PATH: process.env['PATH'], HOME: scratch, CI: 'true', GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: workspace, GITHUB_ACTION_PATH: path,
        GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary, RUNNER_TEMP: join(scratch, 'temp'), ...env, ...more,
      },
    });
    log += stdout + stderr;
    code = status ?? 1;
    if (step.id) outputsOf[step.id] = readOutputs(readFileSync(output, 'utf8'));
  }
  const steps = Object.fromEntries(Object.entries(outputsOf).map(([id, outputs]) => [id, { outputs }]));
  const outputs = Object.fromEntries(Object.entries(action.outputs).map(([name, { value }]) => [name, evaluated(value, { steps })]));
  return { code, log, outputs, summary: readFileSync(summary, 'utf8'), annotations: annotationsOf(log) };
}

/** `${{ inputs.name }}` and the like; what is not there is an empty text. */
function evaluated(text: string, contexts: Readonly<Record<string, unknown>>): string {
  return text.replaceAll(/\$\{\{ ([\w.-]+) \}\}/g, (_, path: string) => {
    const value = path.split('.').reduce<unknown>((context, name) => (context as Record<string, unknown> | undefined)?.[name], contexts);
    return typeof value === 'string' ? value : '';
  });
}

/** Lines `name=value`, and `name<<END`, lines of the value, `END`. */
function readOutputs(text: string): Record<string, string> {
  const outputs: Record<string, string> = {};
  const lines = text.split('\n');
  while (lines.length > 0) {
    const line = lines.shift()!;
    const [, name, end] = /^([^=]+?)<<(.+)$/.exec(line) ?? [];
    if (name && end) {
      const stop = lines.indexOf(end);
      if (stop < 0) throw new Error(`output ${name} has no end`);
      outputs[name] = lines.splice(0, stop + 1).slice(0, -1).join('\n');
    } else if (line !== '') {
      const at = line.indexOf('=');
      if (at < 1) throw new Error(`not an output: ${line}`);
      outputs[line.slice(0, at)] = line.slice(at + 1);
    }
  }
  return outputs;
}

/** Commands of a log, as the runner finds them: lines that begin with `::`, but not between stop-commands and its token. */
function annotationsOf(log: string): Annotation[] {
  const annotations: Annotation[] = [];
  let token: string | undefined;
  for (const line of log.split(/\r\n|[\r\n]/)) {
    const [, command, properties = '', message = ''] = /^\s*::([^\s:]+)(?: (.*?))?::(.*)$/.exec(line) ?? [];
    if (!command) continue;
    if (token !== undefined) {
      if (command === token) token = undefined;
    } else if (command === 'stop-commands') {
      token = message;
    } else if (command === 'warning' || command === 'error') {
      const pairs = properties.split(',').filter((pair) => pair !== '').map((pair) => [pair.slice(0, pair.indexOf('=')), unescaped(pair.slice(pair.indexOf('=') + 1), true)]);
      annotations.push({ kind: command, properties: Object.fromEntries(pairs) as Record<string, string>, message: unescaped(message, false) });
    } else {
      throw new Error(`a command that nobody meant: ${line}`);
    }
  }
  return annotations;
}

function unescaped(text: string, isProperty: boolean): string {
  const codes: Record<string, string> = { '%0D': '\r', '%0A': '\n', '%25': '%', ...(isProperty && { '%3A': ':', '%2C': ',' }) };
  return text.replaceAll(/%[0-9A-F]{2}/g, (code) => codes[code] ?? code);
}
