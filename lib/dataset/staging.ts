/**
 * The output folder, from staging to publication.
 *
 * Everything is written into a hidden folder beside the output, on the same file system, and becomes visible by one
 * rename; `_SUCCESS` is inside it by then. Replacing an earlier output takes two renames, the old one aside and the new
 * one into its place: between them, for some microseconds, the name does not exist, and no mix ever does. A process
 * killed just there leaves the old output under its set-aside name; the next run puts it back before anything else.
 * A failure or `discard` at any time before leaves the earlier output untouched and nothing behind.
 */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EtlError, withCleanupError } from '../core/errors.ts';

/** Describes the dataset and marks the folder as ours: only such a folder is ever replaced. */
export const DATASET_FILE = '_etl/dataset.json';

export class Staging {
  /** Where to write. */
  readonly folder: string;
  readonly #output: string;
  readonly #previous: string;
  readonly #overwrite: boolean;
  #open = true;

  private constructor(output: string, folder: string, previous: string, overwrite: boolean) {
    this.#output = output;
    this.folder = folder;
    this.#previous = previous;
    this.#overwrite = overwrite;
  }

  /**
   * Starts an output. Throws ETL_OUTPUT_EXISTS when there is one and `overwrite` is not set, or when what stands there
   * was not written by etl-stream.
   */
  static async open(path: string, options: { overwrite: boolean }): Promise<Staging> {
    const output = resolve(path);
    const [parent, name] = [dirname(output), basename(output)];
    const previous = join(parent, `.${name}.previous`);
    const folder = join(parent, `.${name}.staging-${process.pid}-${randomBytes(4).toString('hex')}`);
    try {
      await mkdir(parent, { recursive: true });
      await recover(output, previous);
      if (await exists(output)) await checkReplaceable(output, options.overwrite);
      await mkdir(folder);
    } catch (cause) {
      throw cause instanceof EtlError ? cause : writeError(`Cannot prepare the output ${path}`, cause);
    }
    return new Staging(output, folder, previous, options.overwrite);
  }

  /** Makes what was written visible under the output's name, in one step. */
  async publish(): Promise<void> {
    try {
      await writeFile(join(this.folder, '_SUCCESS'), '', { flag: 'wx' });
      const replaces = await exists(this.#output);
      if (replaces) await checkReplaceable(this.#output, this.#overwrite);
      if (replaces) await rename(this.#output, this.#previous);
      try {
        await rename(this.folder, this.#output);
      } catch (cause) {
        if (replaces) {
          await rename(this.#previous, this.#output).catch((extra: unknown) => {
            throw withCleanupError(cause, extra);
          });
        }
        throw cause;
      }
      this.#open = false;
    } catch (cause) {
      if (cause instanceof EtlError) throw cause;
      throw writeError(`Cannot publish the output ${this.#output}`, cause);
    }
    // The new output stands. What is left of the old one, if this fails, goes with the next run.
    await rm(this.#previous, { recursive: true, force: true }).catch(() => undefined);
  }

  /** Removes everything that was written; idempotent, and harmless after `publish`. */
  async discard(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Ends what a killed process left between the two renames of a replacement. */
async function recover(output: string, previous: string): Promise<void> {
  if (!(await exists(previous))) return;
  if (await exists(output)) await rm(previous, { recursive: true, force: true });
  else await rename(previous, output);
}

async function checkReplaceable(output: string, overwrite: boolean): Promise<void> {
  if (!overwrite) {
    throw new EtlError('ETL_OUTPUT_EXISTS', `The output ${output} exists already.`, {
      hint: 'Add --overwrite to replace it, or choose another folder with -o.',
    });
  }
  const isFolder = (await lstat(output)).isDirectory();
  const ours = isFolder && ((await readdir(output)).length === 0 || (await exists(join(output, DATASET_FILE))));
  if (!ours) {
    throw new EtlError('ETL_OUTPUT_EXISTS', `The output ${output} exists and was not written by etl-stream, so it is not replaced.`, {
      hint: 'Choose another folder with -o, or remove this one yourself.',
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function writeError(what: string, cause: unknown): EtlError {
  return new EtlError('ETL_OUTPUT_WRITE', `${what}: ${cause instanceof Error ? cause.message : String(cause)}.`, {
    cause,
    hint: 'Nothing was published; an earlier output is as it was.',
  });
}
