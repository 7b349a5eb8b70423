/** The run's own folder for temporary files, removed with all it holds at the end. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';

export class TempFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a hidden folder inside `parent`, which is made if need be. Throws ETL_TEMP_WRITE. */
  static async create(parent: string): Promise<TempFolder> {
    try {
      await mkdir(parent, { recursive: true });
      return new TempFolder(await mkdtemp(join(parent, '.etl-stream-')));
    } catch (cause) {
      throw new EtlError('ETL_TEMP_WRITE', `Cannot make a temporary folder in ${parent}: ${(cause as Error).message}.`, {
        cause,
        hint: 'Choose another place with --temp.',
      });
    }
  }

  /** Removes the folder; idempotent. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
