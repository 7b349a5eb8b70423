/**
 * A folder that a run makes for itself and removes again, with the parents that it had to make. Removed also when the
 * process exits in between, by whatever calls process.exit or is not caught: only SIGKILL and its like leave it behind.
 */
import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';

const open = new Set<OwnFolder>();

export class OwnFolder {
  readonly path: string;
  /** The topmost folder that was made on the way; undefined when all parents were there. */
  readonly #made: string | undefined;

  private constructor(path: string, made: string | undefined) {
    this.path = path;
    this.#made = made;
  }

  /** `make` gets the parent, which exists then, and gives the new folder's path. Throws what the file system throws. */
  static create(parent: string, make: (parent: string) => string): OwnFolder {
    const made = mkdirSync(parent, { recursive: true });
    let path;
    try {
      path = make(parent);
    } catch (error) {
      removeEmptySync(parent, made);
      throw error;
    }
    const folder = new OwnFolder(path, made);
    if (open.size === 0) process.on('exit', removeAll);
    open.add(folder);
    return folder;
  }

  /** From now on the folder is nobody's to remove. */
  keep(): void {
    open.delete(this);
    if (open.size === 0) process.off('exit', removeAll);
  }

  /** Removes the folder, and the parents that were made for it as far as they are empty; idempotent, not after `keep`. */
  async remove(): Promise<void> {
    if (!open.has(this)) return;
    await rm(this.path, { recursive: true, force: true });
    this.keep();
    for (const parent of upTo(this.#made, dirname(this.path))) {
      if (!(await rmdir(parent).then(() => true, () => false))) return; // something else is in it now
    }
  }

  removeSync(): void {
    rmSync(this.path, { recursive: true, force: true });
    removeEmptySync(dirname(this.path), this.#made);
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
