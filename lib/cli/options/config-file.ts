/**
 * The configuration file: `etl-stream.config.json`, or `.ts` (or `.js`, `.mjs`), whose default export is the same. A program is run with all rights of
 * who runs etl-stream, so only one that is named, or that stands in the folder that the command runs in, is.
 */
import { readFileSync } from 'node:fs';
import { dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EtlError, messageOf } from '../../core/errors.ts';
import { near } from './near.ts';
import { parseText, pathOf } from './settings.ts';
import { allCommands, optionsOf, type OptionSpec } from './spec.ts';
import { program } from './table.ts';

export interface ConfigFile {
  /** As people know it. */
  readonly path: string;
  /** Parsed, by the path of the key: `memory`, `generate.files`. */
  readonly values: ReadonlyMap<string, unknown>;
}

/** Reads the file `path`, which is from `folder`. Throws ETL_USAGE when it cannot be read, or has something that it should not. */
export async function readConfigFile(path: string, folder: string): Promise<ConfigFile> {
  const file = resolve(folder, path);
  const content = await load(file, path);
  const { configSchema } = await import('./config-schema.ts');
  const checked = configSchema().safeParse(content);
  if (!checked.success) throw faultOf(checked.error.issues[0]!, path);
  return { path, values: valuesOf(checked.data, path, relative(folder, dirname(file))) };
}

async function load(file: string, path: string): Promise<unknown> {
  try {
    if (extname(file) === '.json') return parseJson(readFileSync(file, 'utf8'));
    if (extname(file) !== '.ts') return ((await import(pathToFileURL(file).href)) as { default: unknown }).default;
    const { createJiti } = await import('jiti');
    return await createJiti(import.meta.url, { fsCache: false }).import(file, { default: true });
  } catch (cause) {
    throw usage(`Cannot read the configuration file ${path}: ${messageOf(cause)}`, undefined, cause);
  }
}

/** With the line in what it throws. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /position (\d+)/.exec(messageOf(error))?.[1];
    if (position === undefined || messageOf(error).includes('line')) throw error;
    throw new Error(`${messageOf(error)}, line ${text.slice(0, Number(position)).split('\n').length}`, { cause: error });
  }
}

/** A fault as zod tells it. */
interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function faultOf({ code, path, message, keys = [] }: Issue, file: string): EtlError {
  if (code !== 'unrecognized_keys') return usage(`${path.map(String).join('.') || 'The default export'} in ${file} is wrong: ${message}`);
  const known = [...fileOptions().keys()];
  const unknown = [...path.map(String), keys[0]!].join('.');
  const meant = near(unknown, known) ?? known.find((key) => key === camelCase(unknown));
  return usage(`${file} has an unknown key, ${JSON.stringify(unknown)}`, meant === undefined ? 'etl-stream config prints all that there are.' : `Did you mean ${JSON.stringify(meant)}?`);
}

function camelCase(key: string): string {
  return key.replace(/^-+/, '').replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
}

/** All options that may stand in a file, by the paths of their keys. */
function fileOptions(): Map<string, OptionSpec> {
  const options = new Map<string, OptionSpec>();
  for (const { command } of allCommands(program)) {
    for (const option of optionsOf(command)) if (!option.isCommandLineOnly) options.set(pathOf(command, option), option);
  }
  return options;
}

/** `beside`: from the folder that the command runs in to that of the file; paths in a file are from there. */
function valuesOf(content: object, file: string, beside: string): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [key, option] of fileOptions()) {
    const value = key.split('.').reduce<unknown>((within, step) => (within as Record<string, unknown> | undefined)?.[step], content);
    if (value !== undefined) values.set(key, fromFile(option, value, `${key} in ${file}`, beside));
  }
  return values;
}

function fromFile(option: OptionSpec, value: unknown, where: string, beside: string): unknown {
  const { kind } = option;
  if (kind === undefined || typeof value === 'boolean') return value;
  const parse = (text: unknown): unknown => {
    const parsed = parseText(option, String(text), where);
    return kind.completes && typeof parsed === 'string' && parsed !== '' && !isAbsolute(parsed) ? join(beside, parsed) : parsed;
  };
  if (kind.isRepeatable) return (Array.isArray(value) ? value : [value]).map(parse);
  return Array.isArray(value) ? value : parse(value);
}

function usage(problem: string, hint?: string, cause?: unknown): EtlError {
  return new EtlError('ETL_USAGE', `${problem}.`, { ...(hint !== undefined && { hint }), ...(cause !== undefined && { cause }) });
}
