/**
 * From what the user named to the list of inputs of a run: files as named, folders searched for logs, `-` for standard
 * input. The list is in byte order of the paths, each file once; its order is the order in which the first of equal
 * log_ids wins.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dialectFor, type DialectOptions } from '../core/dialect.ts';
import { EtlError, messageOf } from '../core/errors.ts';
import { isUrl, type Encoding } from '../core/options.ts';
import type { InputInfo } from '../core/stage.ts';
import type { Content } from './content.ts';
import { logsIn, type LogFilter } from './log-filter.ts';

export interface InputFile extends InputInfo {
  /** Path to open; undefined for standard input. */
  readonly path: string | undefined;
  /** Bytes on the disk when they are known beforehand: regular files only. */
  readonly size: number | undefined;
  /** Default `auto`. */
  readonly encoding?: Encoding | undefined;
  /** What stands in it, for files that were looked into (look-into.ts). */
  readonly content?: Content | undefined;
}

export interface ListOptions {
  readonly glob?: string | undefined;
  readonly encoding?: Encoding | undefined;
  readonly dialect?: DialectOptions | undefined;
}

const MAX_INPUTS = 2 ** 24 - 1;

/**
 * Lists the inputs of a run. Folders are searched recursively for what `logsIn` says; links to folders inside them are left
 * out. Throws ETL_INPUT_NOT_FOUND when a path does not exist or a folder holds no log.
 */
export async function listInputs(paths: readonly string[], { glob, encoding, dialect = {} }: ListOptions = {}): Promise<InputFile[]> {
  const filter = logsIn(glob);
  const found = new Map<string, { path: string; size: number | undefined }>();
  let standardInput = false;
  for (const path of paths) {
    if (path === '-') {
      standardInput = true;
      continue;
    }
    const files = await filesAt(path, filter);
    if (files.length === 0) throw new EtlError('ETL_INPUT_NOT_FOUND', `The folder ${path} holds no ${filter.what}.`, { hint: filter.hint });
    for (const file of files) {
      // What is no regular file (a pipe of the shell, say) may have no other name than the one given.
      const real = file.size === undefined ? file.path : await realpath(file.path).catch(() => file.path);
      const known = found.get(real);
      if (known === undefined || comparePaths(file.path, known.path) < 0) found.set(real, file);
    }
  }
  const files = [...found.values()].sort((a, b) => comparePaths(a.path, b.path));
  if (files.length > MAX_INPUTS) throw new EtlError('ETL_USAGE', `${files.length} inputs are more than the ${MAX_INPUTS} that one run takes.`);
  const named = (number: number, name: string): InputInfo & Pick<InputFile, 'encoding'> => ({ number, name, encoding, dialect: dialectFor(name, dialect) });
  const inputs: InputFile[] = files.map(({ path, size }, number) => ({ ...named(number, path), path, size }));
  if (standardInput) inputs.push({ ...named(inputs.length, '<stdin>'), path: undefined, size: undefined });
  return inputs;
}

/** The files to read at a path that was named: itself, or those below it. */
async function filesAt(path: string, filter: LogFilter): Promise<{ path: string; size: number | undefined }[]> {
  let info;
  try {
    info = await stat(path);
  } catch (cause) {
    throw new EtlError('ETL_INPUT_NOT_FOUND', `Cannot find the input ${path}: ${messageOf(cause)}.`, { cause, ...(isUrl(path) && { hint: 'URLs are read by Apache Spark alone: add --engine spark.' }) });
  }
  if (!info.isDirectory()) return [{ path, size: info.isFile() ? info.size : undefined }];

  const files: { path: string; size: number | undefined }[] = [];
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const here = join(path, folder);
    let entries;
    try {
      entries = await readdir(here, { withFileTypes: true });
    } catch (cause) {
      throw new EtlError('ETL_INPUT_READ', `Cannot list the folder ${here}: ${messageOf(cause)}.`, { cause });
    }
    for (const entry of entries) {
      if (entry.name.startsWith('.') && !filter.searchesHidden) continue;
      const below = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const child = join(path, below);
      if (entry.isDirectory()) folders.push(below);
      else if (filter.isLog(below)) {
        const target = await stat(child).catch((cause: unknown) => {
          throw new EtlError('ETL_INPUT_READ', `Cannot read the input ${child}: ${messageOf(cause)}.`, { cause });
        });
        if (target.isFile()) files.push({ path: child, size: target.size });
      }
    }
  }
  return files;
}

/** Byte order of the UTF-8 paths: the same on every machine and locale. */
function comparePaths(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
