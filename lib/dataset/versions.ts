/**
 * An output that is replaced again and again, read meanwhile: a link to one of its versions, which stand beside it.
 *
 *   OUT ──► .OUT.versions/v-3f2a...    what is published; the link is replaced by one rename, so there is always one
 *           .OUT.versions/v-91c0...    what was published before, for whoever is still reading it; removed by the next publication
 *           .OUT.versions/staging-...  what a run is writing
 *
 * A version is never changed. Whoever goes into it once (`cd OUT`, `realpath OUT`, an open folder) reads that one to the end,
 * whatever is published meanwhile, as long as it does not take two publications.
 */
import { randomBytes } from 'node:crypto';
import { lstat, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { OWNER_MARK } from '../core/owner.ts';
import { syncFolder } from '../core/sync-folder.ts';

const VERSION = /^(v|link)-[0-9a-f]{16}$/;

/** Where the versions of an output stand. */
export function versionsOf(output: string): string {
  return join(dirname(output), `.${basename(output)}.versions`);
}

/** The version that an output links to, there or not; undefined when it is no link, or not one of ours. */
export async function linkedVersion(output: string): Promise<string | undefined> {
  const target = await readlink(output).catch(() => undefined);
  if (target === undefined) return undefined;
  const version = resolve(dirname(output), target);
  return dirname(version) === versionsOf(output) && VERSION.test(basename(version)) ? version : undefined;
}

/** Gives a finished folder the name of a version, and the output a link to it, in one step. Throws what the file system throws. */
export async function publishVersion(output: string, folder: string): Promise<void> {
  const versions = versionsOf(output);
  const version = join(versions, named('v'));
  const link = join(versions, named('link'));
  await rename(folder, version);
  try {
    await rm(join(version, OWNER_MARK), { force: true }); // by its name now it is a version, and nobody's staging folder
    await syncFolder(version);
    await syncFolder(versions);
    await symlink(relative(dirname(output), version), link, 'junction');
    await rename(link, output);
  } catch (error) {
    await Promise.allSettled([rm(version, { recursive: true, force: true }), rm(link, { force: true })]);
    throw error;
  }
  await syncFolder(dirname(output));
}

/**
 * Removes all versions but the one that is published and the newest of the others: the one before, or, after a process was killed,
 * maybe one that was never published. What cannot be removed goes with a later run.
 */
export async function pruneVersions(output: string): Promise<void> {
  const versions = versionsOf(output);
  const published = await linkedVersion(output);
  const others: { path: string; made: number }[] = [];
  for (const name of await readdir(versions).catch(() => [])) {
    const path = join(versions, name);
    if (!VERSION.test(name) || path === published) continue;
    const info = await lstat(path).catch(() => undefined);
    if (info) others.push({ path, made: info.isDirectory() ? info.mtimeMs : 0 });
  }
  others.sort((a, b) => b.made - a.made);
  for (const { path } of others.slice(others[0]?.made ? 1 : 0)) await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** Whether there is anything behind the path: a link to nothing is nothing. */
export async function isThere(path: string): Promise<boolean> {
  const version = await linkedVersion(resolve(path));
  return lstat(version ?? path).then(() => true, () => false);
}

function named(kind: string): string {
  return `${kind}-${randomBytes(8).toString('hex')}`;
}
