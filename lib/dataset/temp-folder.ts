/** The run's own folder for temporary files, removed with all it holds at the end. */
import { statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import { nearestFolder, OwnFolder, removeLeftBehind } from '../core/own-folder.ts';

const PREFIX = '.etl-stream-temp';

/** Makes a hidden folder inside `parent`, which is made if need be, for this user only. Throws ETL_TEMP_WRITE. */
export function createTempFolder(parent: string): OwnFolder {
  try {
    return OwnFolder.create({ parent, prefix: PREFIX, mode: 0o700 });
  } catch (cause) {
    throw cannotMake(parent, cause);
  }
}

/** Bytes that are free where `createTempFolder` would make one; undefined: the system does not say. Makes nothing. Throws ETL_TEMP_WRITE. */
export async function freeSpace(parent: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(nearestFolder(resolve(parent)));
    return bavail * bsize;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOSYS') return undefined;
    throw cannotMake(parent, cause);
  }
}

function cannotMake(parent: string, cause: unknown): EtlError {
  return new EtlError('ETL_TEMP_WRITE', `Cannot make a temporary folder in ${parent}: ${messageOf(cause)}.`, {
    cause,
    hint: 'Choose another place with --temp.',
  });
}

/** Removes those that killed runs left in `parent`; gives their paths. */
export function removeTempFolders(parent: string): string[] {
  return removeLeftBehind(parent, PREFIX);
}

/** Removes it with all it holds. Throws ETL_TEMP_WRITE; a later run tries again. */
export async function removeTempFolder(folder: OwnFolder): Promise<void> {
  await folder.remove().catch((cause: unknown) => {
    throw new EtlError('ETL_TEMP_WRITE', `Cannot remove the temporary folder ${folder.path}: ${messageOf(cause)}.`, {
      cause,
      hint: 'If nothing else is said, the run was done by then, and its output is published.',
    });
  });
}
