/**
 * The output folder, from staging to publication.
 *
 * Everything is written into a hidden folder beside the output, on the same file system, and becomes visible by one
 * rename; `_SUCCESS` is inside it by then. Replacing an earlier output takes two renames, the old one aside and the new
 * one into its place: between them, for some microseconds, the name does not exist, and no mix ever does. A process
 * killed just there leaves the old output under its set-aside name; the next run puts it back before anything else, and
 * a later replacement clears away what a killed one left there. Only a dataset is ever moved or removed.
 * An output that is `linked` is a link to one of its versions instead (versions.ts): it is there at any time.
 * A failure or `discard` at any time before leaves the earlier output untouched and nothing behind; a killed run leaves
 * its staging folder, which the next run for the same output removes (core/own-folder.ts).
 */
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EtlError, messageOf, withCleanupError } from '../core/errors.ts';
import { nearestFolder, OwnFolder, removeLeftBehind } from '../core/own-folder.ts';
import { checkReplaceable, exists, isDataset } from './replaceable.ts';
import { linkedVersion, pruneVersions, publishVersion, versionsOf } from './versions.ts';

const VERSION_STAGING = 'staging';

export class Staging {
  readonly #own: OwnFolder;
  readonly #output: string;
  readonly #previous: string;
  readonly #overwrite: boolean;
  readonly #linked: boolean;

  private constructor(own: OwnFolder, output: string, overwrite: boolean, linked: boolean) {
    this.#own = own;
    this.#output = output;
    this.#previous = setAside(output);
    this.#overwrite = overwrite;
    this.#linked = linked;
  }

  /** Where to write. */
  get folder(): string {
    return this.#own.path;
  }

  /** Staging folders of this output that killed runs left, removed by this one. */
  get leftBehind(): readonly string[] {
    return this.#own.leftBehind;
  }

  /**
   * Starts an output. Throws ETL_OUTPUT_EXISTS when there is one and `overwrite` is not set, or when something stands
   * there that etl-stream did not write.
   */
  static async open(path: string, options: { overwrite: boolean; linked?: boolean }): Promise<Staging> {
    const output = resolve(path);
    const [parent, name] = [dirname(output), basename(output)];
    try {
      await putBack(output);
      await checkReplaceable(output, options.overwrite);
      const linked = options.linked === true || await linkedVersion(output) !== undefined;
      const own = OwnFolder.create(linked ? { parent: versionsOf(output), prefix: VERSION_STAGING } : { parent, prefix: `.${name}.staging` });
      return new Staging(own, output, options.overwrite, linked);
    } catch (cause) {
      throw cannotPrepare(path, cause);
    }
  }

  /** Throws as `open` would, as far as that can be told without making anything. */
  static async check(path: string, { overwrite }: { overwrite: boolean }): Promise<void> {
    const output = resolve(path);
    try {
      await checkReplaceable(output, overwrite, await standsAt(output));
      nearestFolder(dirname(output));
    } catch (cause) {
      throw cannotPrepare(path, cause);
    }
  }

  /** Makes what was written visible under the output's name, in one step. */
  async publish(): Promise<void> {
    let replaces = false;
    const before = await linkedVersion(this.#output);
    try {
      await writeFile(join(this.folder, '_SUCCESS'), '', { flag: 'wx' });
      await checkReplaceable(this.#output, this.#overwrite);
      replaces = before === undefined && await exists(this.#output);
      if (replaces) {
        if (await isDataset(this.#previous)) await rm(this.#previous, { recursive: true });
        await rename(this.#output, this.#previous);
      }
      try {
        if (this.#linked) {
          await publishVersion(this.#output, this.folder);
        } else {
          this.#own.unmark();
          await rename(this.folder, this.#output);
        }
      } catch (cause) {
        if (replaces) {
          await rename(this.#previous, this.#output).catch((extra: unknown) => {
            throw withCleanupError(cause, extra);
          });
        }
        throw cause;
      }
      this.#own.keep();
    } catch (cause) {
      if (cause instanceof EtlError) throw cause;
      throw writeError(`Cannot publish the output ${this.#output}`, cause);
    }
    // The new output stands. What is left of the old one, if this fails, goes with the next run.
    if (replaces) await rm(this.#previous, { recursive: true, force: true }).catch(() => undefined);
    if (this.#linked) await pruneVersions(this.#output);
  }

  /** Removes everything that was written; idempotent, and harmless after `publish`. */
  async discard(): Promise<void> {
    await this.#own.remove().catch((cause: unknown) => {
      throw writeError(`Cannot remove ${this.folder}`, cause);
    });
  }
}

/** Removes staging folders of versions of an output that killed runs left; gives their paths. */
export function removeStagings(path: string): string[] {
  return removeLeftBehind(versionsOf(resolve(path)), VERSION_STAGING);
}

/** Undoes the first half of a replacement that a killed process left. Throws what the file system throws. */
export async function putBack(path: string): Promise<void> {
  const output = resolve(path);
  const standing = await standsAt(output);
  if (standing !== output) await rename(standing, output);
}

/** Where the dataset of an output is: at the output, unless a killed process left it aside. Absolute. Throws what the file system throws. */
export async function standsAt(path: string): Promise<string> {
  const output = resolve(path);
  const previous = setAside(output);
  return !(await exists(output)) && (await isDataset(previous)) ? previous : output;
}

/** Where an output is while another one takes its place. */
function setAside(output: string): string {
  return join(dirname(output), `.${basename(output)}.previous`);
}

function cannotPrepare(path: string, cause: unknown): EtlError {
  return cause instanceof EtlError ? cause : writeError(`Cannot prepare the output ${path}`, cause);
}

function writeError(what: string, cause: unknown): EtlError {
  return new EtlError('ETL_OUTPUT_WRITE', `${what}: ${messageOf(cause)}.`, {
    cause,
    hint: 'Nothing was published; an earlier output is as it was.',
  });
}
