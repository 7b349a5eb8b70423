/**
 * A folder that a run makes for itself and removes again, with the parents that it had to make. Removed also when the
 * process exits in between, by whatever calls process.exit or is not caught. Only SIGKILL and its like leave it behind;
 * then the next run that makes such a folder in the same place removes it, by the owner's mark inside (owner.ts):
 *
 *   killed between            leaves                          removed by the next run
 *   mkdir and the mark        an empty folder without mark    when it is a day old
 *   the mark and `unmark`     a folder with a mark            when its owner is gone
 *   `unmark` and the rename   a folder without mark           when it is a day old
 *   the rename and `keep`     nothing: it has another name
 *   while it is removed       some of it, and the mark: it    when its owner is gone; the folder alone, when it
 *                             goes last                       is a day old
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isLeftBehind, OWNER_MARK, OwnerMark } from './owner.ts';

const open = new Set<OwnFolder>();

export interface OwnFolderOptions {
  /** Where; made if need be. */
  readonly parent: string;
  /** What the folder's name begins with; a number of the process and a random one follow. */
  readonly prefix: string;
  /** Default: as the process makes folders. */
  readonly mode?: number;
}

export class OwnFolder {
  readonly path: string;
  /** Folders of killed runs that were removed on the way. */
  readonly leftBehind: readonly string[];
  /** The topmost folder that was made on the way; undefined when all parents were there. */
  readonly #made: string | undefined;
  readonly #mark: OwnerMark;

  private constructor(path: string, made: string | undefined, leftBehind: readonly string[]) {
    this.path = path;
    this.#made = made;
    this.leftBehind = leftBehind;
    this.#mark = new OwnerMark(path);
  }

  /** Throws what the file system throws. */
  static create({ parent, prefix, mode }: OwnFolderOptions): OwnFolder {
    const made = makeFolders(dirname(join(parent, 'any')));
    const leftBehind = removeLeftBehind(parent, prefix);
    const path = join(parent, `${prefix}-${process.pid}-${randomBytes(4).toString('hex')}`);
    let isOurs = false;
    let folder;
    try {
      mkdirSync(path, { mode });
      isOurs = true;
      folder = new OwnFolder(path, made, leftBehind);
    } catch (error) {
      if (isOurs) rmSync(path, { recursive: true, force: true });
      removeEmptySync(parent, made);
      throw error;
    }
    if (open.size === 0) process.on('exit', removeAll);
    open.add(folder);
    return folder;
  }

  /** Takes the owner's mark out, for a folder that is about to get its own name. Throws what the file system throws. */
  unmark(): void {
    this.#mark.remove();
  }

  /** From now on the folder is nobody's to remove. */
  keep(): void {
    this.#mark.stop();
    open.delete(this);
    if (open.size === 0) process.off('exit', removeAll);
  }

  /** Removes the folder, and the parents that were made for it as far as they are empty; idempotent, not after `keep`. */
  async remove(): Promise<void> {
    if (!open.has(this)) return;
    for (const path of inside(this.path)) await rm(path, { recursive: true, force: true });
    await rm(this.path, { recursive: true, force: true });
    this.keep();
    await removeEmpty(dirname(this.path), this.#made);
  }

  removeSync(): void {
    removeMarkLast(this.path, true);
    removeEmptySync(dirname(this.path), this.#made);
  }
}

/**
 * Makes a folder and what is missing above it; gives the topmost that it made. Not Node's `recursive`, which never ends
 * where a folder is there and takes no new ones with ENOENT (/proc, automounts).
 */
export function makeFolders(folder: string): string | undefined {
  try {
    mkdirSync(folder);
    return folder;
  } catch (error) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined;
    const above = dirname(folder);
    const lacksAbove = (error as NodeJS.ErrnoException).code === 'ENOENT' && above !== folder && !statSync(above, { throwIfNoEntry: false });
    if (!lacksAbove) throw error;
  }
  const above = makeFolders(dirname(folder));
  const made = makeFolders(folder);
  return above ?? made;
}

/** The folder that `path` is, or would be made in. Throws what the file system throws when nothing can be made there, as far as it says so. */
export function nearestFolder(path: string): string {
  const info = statSync(path, { throwIfNoEntry: false });
  if (!info && dirname(path) !== path) return nearestFolder(dirname(path));
  if (!info?.isDirectory()) throw new Error(`${path} is not a folder`);
  accessSync(path, constants.W_OK | constants.X_OK);
  return path;
}

/**
 * Removes the folders directly in `parent` that OwnFolder made for `prefix` in a process that is gone; gives their paths.
 * Only folders of this user, never through a link. What cannot be looked at or removed stays, for whoever can: also when
 * another run is removing it at the same time.
 */
export function removeLeftBehind(parent: string, prefix: string, now = Date.now()): string[] {
  const removed: string[] = [];
  const uid = process.getuid?.();
  for (const name of namesIn(parent)) {
    if (!name.startsWith(`${prefix}-`) || !/^\d+-[0-9a-f]{8}$/.test(name.slice(prefix.length + 1))) continue;
    const path = join(parent, name);
    try {
      const info = lstatSync(path);
      if (!info.isDirectory() || (uid !== undefined && info.uid !== uid) || !isLeftBehind(path, now)) continue;
      removeMarkLast(path, false);
      removed.push(path);
    } catch {
      // It stays, or another run was faster.
    }
  }
  return removed;
}

/** What is in a folder but the owner's mark, which goes last: whoever is killed between leaves a folder that the next run knows. */
function inside(folder: string): string[] {
  return namesIn(folder).filter((name) => name !== OWNER_MARK).map((name) => join(folder, name));
}

/** `mayBeGone`: that somebody else has removed it is no error. */
function removeMarkLast(folder: string, mayBeGone: boolean): void {
  for (const path of inside(folder)) rmSync(path, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: mayBeGone });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes a folder and those above it, up to `made`, as far as they are empty; nothing when nothing was made. */
export async function removeEmpty(from: string, made: string | undefined): Promise<void> {
  for (const parent of upTo(made, from)) {
    if (!(await rmdir(parent).then(() => true, () => false))) return; // something else is in it now
  }
}

function removeEmptySync(from: string, made: string | undefined): void {
  for (const parent of upTo(made, from)) {
    try {
      rmdirSync(parent);
    } catch {
      return;
    }
  }
}

/** `from` and what is above it, up to `made`; nothing when nothing was made. */
function* upTo(made: string | undefined, from: string): Generator<string> {
  if (made === undefined) return;
  for (let parent = from; parent.startsWith(made); parent = dirname(parent)) yield parent;
}

function removeAll(): void {
  for (const folder of open) folder.removeSync();
}
