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

/** The names in a folder and in all folders below it. Throws what the file system throws. */
export async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  }
  await syncFolder(folder);
}
