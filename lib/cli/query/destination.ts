/**
 * Where a result goes: standard output, or a file, which is there when all of it is. It is written in a folder of its own beside its place, and takes that place
 * by one rename; an earlier file is untouched until then. Whatever ends the command removes the folder. What is no regular file (a device, a pipe) is written to as it is.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, open, realpath, rename, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { EtlError, messageOf } from '../../core/errors.ts';
import { defaultState } from '../../core/options.ts';
import { OwnFolder } from '../../core/own-folder.ts';

const PREFIX = '.etl-stream-temp';

export interface Destination {
  /** Throws ETL_OUTPUT_WRITE, or the reason of the signal. */
  write(text: string | Uint8Array): Promise<void>;
  /** The result is the file at `path`, which is moved or read. */
  take(path: string): Promise<void>;
  /** The result is complete. */
  keep(): Promise<void>;
  /** Idempotent; after `keep` it does nothing. */
  discard(): Promise<void>;
}

/** A reader that has gone away ends the process (cli/main.ts). */
export function standardOutput(signal?: AbortSignal): Destination {
  const write = async (text: string | Uint8Array): Promise<void> => {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain', signal && { signal });
  };
  return {
    write,
    async take(path) {
      for await (const chunk of createReadStream(path)) await write(chunk as Buffer);
    },
    keep: async () => undefined,
    discard: async () => undefined,
  };
}

/** `output`: the dataset, into which nothing may be written, there or not. Throws ETL_USAGE, ETL_OUTPUT_WRITE. */
export async function resultFile(file: string, output: string): Promise<Destination> {
  if (file === '') throw new EtlError('ETL_USAGE', '--output must be the path of a file.');
  const wrong = (problem: string): EtlError => new EtlError('ETL_USAGE', `--output ${file} ${problem}.`, { hint: 'Name a file outside the dataset, such as result.csv.' });
  try {
    const there = await stat(resolve(file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    });
    if (there?.isDirectory() || file.endsWith('/') || file.endsWith(sep)) throw wrong('is a folder');
    // What /dev/stdout leads to may have no path.
    if (there && !there.isFile()) return await SpecialFile.open(file);
    // A link stays one, and what it leads to is replaced.
    const path = there ? await realpath(file) : join(await realpath(dirname(resolve(file))).catch(() => Promise.reject(new Error(`there is no folder ${dirname(file)}`))), basename(file));
    const dataset = await realpath(output).catch(() => resolve(output));
    const versions = basename(dirname(dataset)).endsWith('.versions') ? dirname(dataset) : dataset;
    const state = await realpath(defaultState(output)).catch(() => defaultState(output));
    if ([dataset, versions, state].some((folder) => isWithin(folder, path))) throw wrong('is inside the dataset, which a query never changes');
    return await NewFile.create(path, file, there?.mode);
  } catch (error) {
    throw error instanceof EtlError ? error : cannotWrite(file, error);
  }
}

function isWithin(folder: string, path: string): boolean {
  const within = relative(folder, path);
  return within !== '..' && !within.startsWith(`..${sep}`) && !isAbsolute(within);
}

class SpecialFile implements Destination {
  readonly #handle: FileHandle;
  readonly #name: string;

  private constructor(handle: FileHandle, name: string) {
    this.#handle = handle;
    this.#name = name;
  }

  static async open(name: string): Promise<SpecialFile> {
    return new SpecialFile(await open(name, 'w'), name);
  }

  async write(text: string | Uint8Array): Promise<void> {
    await this.#handle.writeFile(text).catch((error: unknown) => Promise.reject(cannotWrite(this.#name, error)));
  }

  async take(path: string): Promise<void> {
    for await (const chunk of createReadStream(path)) await this.write(chunk as Buffer);
  }

  async keep(): Promise<void> {
    await this.#handle.close().catch((error: unknown) => Promise.reject(cannotWrite(this.#name, error)));
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }
}

class NewFile implements Destination {
  readonly #path: string;
  readonly #name: string;
  readonly #mode: number | undefined;
  readonly #folder: OwnFolder;
  readonly #partial: string;
  readonly #handle: FileHandle;

  private constructor(path: string, name: string, mode: number | undefined, folder: OwnFolder, handle: FileHandle) {
    this.#path = path;
    this.#name = name;
    this.#mode = mode;
    this.#folder = folder;
    this.#partial = partialIn(folder);
    this.#handle = handle;
  }

  /** `mode`: of the file that is replaced. */
  static async create(path: string, name: string, mode: number | undefined): Promise<NewFile> {
    const folder = OwnFolder.create({ parent: dirname(path), prefix: PREFIX, mode: 0o700 });
    try {
      return new NewFile(path, name, mode, folder, await open(partialIn(folder), 'w'));
    } catch (error) {
      await folder.remove();
      throw error;
    }
  }

  async write(text: string | Uint8Array): Promise<void> {
    await this.#attempt(() => this.#handle.writeFile(text));
  }

  async take(path: string): Promise<void> {
    await this.#attempt(async () => {
      const { mode } = await this.#handle.stat(); // as this process makes files
      await rename(path, this.#partial).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EXDEV') throw error;
        return copyFile(path, this.#partial);
      });
      await chmod(this.#partial, mode & 0o777);
    });
  }

  async keep(): Promise<void> {
    await this.#attempt(async () => {
      await this.#handle.close();
      const written = await open(this.#partial, 'r+');
      try {
        if (this.#mode !== undefined) await written.chmod(this.#mode & 0o777);
        await written.sync();
      } finally {
        await written.close();
      }
      await rename(this.#partial, this.#path);
      await this.#folder.remove();
    });
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await this.#folder.remove();
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => Promise.reject(cannotWrite(this.#name, error)));
  }
}

function partialIn({ path }: OwnFolder): string {
  return join(path, 'result');
}

function cannotWrite(file: string, cause: unknown): EtlError {
  return new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${file}: ${messageOf(cause)}.`, { cause });
}
