/** Makes what was written survive a crash of the machine. */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The names in a folder, where the system can (Windows cannot, and need not). Throws what the file system throws. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  await syncFile(folder);
}

/** The content of a file. Throws what the file system throws. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The names in a folder and in all folders below it, those of one folder at once. Throws what the file system throws. */
export async function syncFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  const ends = await Promise.allSettled(folders.map(syncFolders));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  await syncFolder(folder);
}
