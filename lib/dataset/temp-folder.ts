/** The run's own folder for temporary files, removed with all it holds at the end. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import { OwnFolder } from '../core/own-folder.ts';

/** Makes a hidden folder inside `parent`, which is made if need be. Throws ETL_TEMP_WRITE. */
export function createTempFolder(parent: string): OwnFolder {
  try {
    return OwnFolder.create(parent, (made) => mkdtempSync(join(made, '.etl-stream-')));
  } catch (cause) {
    throw new EtlError('ETL_TEMP_WRITE', `Cannot make a temporary folder in ${parent}: ${messageOf(cause)}.`, {
      cause,
      hint: 'Choose another place with --temp.',
    });
  }
}
