/**
 * From what the user named to the list of inputs of a run: files as named, folders searched for logs, `-` for standard
 * input. The list is in byte order of the paths, each file once; its order is the order in which the first of equal
 * log_ids wins.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import type { InputInfo } from '../core/stage.ts';

export interface InputFile extends InputInfo {
  /** Path to open; undefined for standard input. */
  readonly path: string | undefined;
  /** Size in bytes when it is known beforehand: regular files only. */
  readonly size: number | undefined;
}

/** Names that a folder is searched for. Compressed logs are listed so that they are refused aloud, not skipped. */
const LOG_NAME = /\.csv(\.(gz|zst|bz2))?$/i;
const MAX_INPUTS = 2 ** 24 - 1;

/**
 * Lists the inputs of a run. Folders are searched recursively for `*.csv`; hidden entries and links to folders inside
 * them are left out. Throws ETL_INPUT_NOT_FOUND when a path does not exist or a folder holds no log.
 */
export async function listInputs(paths: readonly string[]): Promise<InputFile[]> {
  const found = new Map<string, { path: string; size: number | undefined }>();
  let standardInput = false;
  for (const path of paths) {
    if (path === '-') {
      standardInput = true;
      continue;
    }
    const files = await filesAt(path);
    if (files.length === 0) {
      throw new EtlError('ETL_INPUT_NOT_FOUND', `The folder ${path} holds no *.csv file.`, {
        hint: 'Name the files themselves if they are called otherwise.',
      });
    }
    for (const file of files) {
      // What is no regular file (a pipe of the shell, say) may have no other name than the one given.
      const real = file.size === undefined ? file.path : await realpath(file.path).catch(() => file.path);
      const known = found.get(real);
      if (known === undefined || comparePaths(file.path, known.path) < 0) found.set(real, file);
    }
  }
  const files = [...found.values()].sort((a, b) => comparePaths(a.path, b.path));
  if (files.length > MAX_INPUTS) throw new EtlError('ETL_USAGE', `${files.length} inputs are more than the ${MAX_INPUTS} that one run takes.`);
  const inputs: InputFile[] = files.map(({ path, size }, number) => ({ number, name: path, path, size }));
  if (standardInput) inputs.push({ number: inputs.length, name: '<stdin>', path: undefined, size: undefined });
  return inputs;
}

async function filesAt(path: string): Promise<{ path: string; size: number | undefined }[]> {
  let info;
  try {
    info = await stat(path);
  } catch (cause) {
    throw new EtlError('ETL_INPUT_NOT_FOUND', `Cannot find the input ${path}: ${messageOf(cause)}.`, { cause });
  }
  if (!info.isDirectory()) return [{ path, size: info.isFile() ? info.size : undefined }];

  const files: { path: string; size: number | undefined }[] = [];
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    let entries;
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch (cause) {
      throw new EtlError('ETL_INPUT_READ', `Cannot list the folder ${folder}: ${messageOf(cause)}.`, { cause });
    }
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const child = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(child);
      else if (LOG_NAME.test(entry.name)) {
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
