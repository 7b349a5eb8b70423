/** The run's own folder for temporary files: made when first needed, removed with all it holds at the end. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';

export class TempFolder {
  readonly #parent: string;
  #made: Promise<string> | undefined;

  constructor(parent: string) {
    this.#parent = parent;
  }

  /** The folder's path. Throws ETL_TEMP_WRITE when it cannot be made. */
  path(): Promise<string> {
    this.#made ??= mkdir(this.#parent, { recursive: true })
      .then(() => mkdtemp(join(this.#parent, '.etl-stream-')))
      .catch((cause: unknown) => {
        throw new EtlError('ETL_TEMP_WRITE', `Cannot make a temporary folder in ${this.#parent}: ${(cause as Error).message}.`, {
          cause,
          hint: 'Choose another place with --temp.',
        });
      });
    return this.#made;
  }

  /** Removes the folder if it was made; idempotent. */
  async remove(): Promise<void> {
    const made = this.#made;
    this.#made = undefined;
    if (made) await rm(await made, { recursive: true, force: true });
  }
}
