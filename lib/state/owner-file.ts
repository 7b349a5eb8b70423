/**
 * `owner.json`: who has the state open, for the message to whoever else wants it. It decides nothing, LevelDB's lock
 * does: a file that a killed process left says nothing while nobody has the lock.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';
import { isThere, readOwner, thisOwner, type Owner } from '../core/owner.ts';

const OWNER_FILE = 'owner.json';

interface StateOwner extends Owner {
  /** When it opened the state: ISO 8601. */
  readonly since: string;
}

/** Throws what the file system throws. */
export function writeOwnerFile(folder: string): void {
  const owner: StateOwner = { ...thisOwner(), since: new Date().toISOString() };
  writeFileSync(join(folder, OWNER_FILE), `${JSON.stringify(owner)}\n`, { mode: 0o600 });
}

/** To be called while the lock is held: afterwards the file is another one's. */
export function removeOwnerFile(folder: string): void {
  try {
    rmSync(join(folder, OWNER_FILE), { force: true });
  } catch {
    // As if the process had been killed.
  }
}

/** Whether the file's process is another one, and there for sure. */
export function isOwned(folder: string): boolean {
  const owner = readOwner(join(folder, OWNER_FILE));
  return owner !== undefined && owner.pid !== process.pid && isThere(owner);
}

export function locked(folder: string, cause?: unknown): EtlError {
  const owner = readOwner(join(folder, OWNER_FILE)) as Partial<StateOwner> | undefined;
  const who = owner ? `by process ${owner.pid} on ${owner.host}${owner.since === undefined ? '' : ` since ${owner.since}`}` : 'by another process';
  return new EtlError('ETL_STATE_LOCKED', `The state ${folder} is in use ${who}.`, {
    cause,
    hint: 'Wait for that run to end, or stop it.',
  });
}
