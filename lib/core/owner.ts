/**
 * Who owns a folder that a run made for itself: a mark inside it, from which a later run tells whether the owner is gone.
 *
 *   same host, same boot, same pid namespace    gone when there is no such process (the pid, and when it was started)
 *   same host, an earlier boot                  gone, if the mark was not touched since
 *   anything else, or a damaged mark            nobody can tell: the owner touches its mark every minute, and one that
 *                                               was not touched for a day is taken for gone
 *
 * Where the system says less than Linux does (no boot id, no start times) the answer errs on the side of keeping.
 */
import { lstatSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { join } from 'node:path';

export const OWNER_MARK = '.etl-stream-owner.json';
const TOUCHED_EVERY = 60_000;
/** Untouched for so long, a folder is left behind, whoever its owner is. */
export const LEFT_AFTER = 24 * 3600 * 1000;
const MARK_MAX_BYTES = 4096;
/** How far two estimates of one boot's time may lie apart: clocks are set, machines sleep. */
const BOOT_SLACK = 600_000;

/** A process, as no other process is. null: the system does not say. */
export interface Owner {
  readonly host: string;
  readonly boot: string | null;
  /** Milliseconds since 1970, roughly. */
  readonly bootTime: number;
  readonly pidNamespace: string | null;
  readonly pid: number;
  readonly started: string | null;
}

export function thisOwner(): Owner {
  return {
    host: hostname(),
    boot: orNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    bootTime: Math.round(Date.now() - uptime() * 1000),
    pidNamespace: orNull(() => readlinkSync('/proc/self/ns/pid')),
    pid: process.pid,
    started: statOf('self')[1],
  };
}

/** The mark that this process puts into its folder, and keeps touching. */
export class OwnerMark {
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;

  /** Throws what the file system throws. */
  constructor(folder: string) {
    this.#path = join(folder, OWNER_MARK);
    writeFileSync(this.#path, `${JSON.stringify(thisOwner())}\n`, { flag: 'wx', mode: 0o600 });
    this.#timer = setInterval(() => void this.touch(), TOUCHED_EVERY).unref();
  }

  /** Never makes a file. That it fails is no harm: the process is there for all to see, or the folder is gone. */
  async touch(now = new Date()): Promise<void> {
    await utimes(this.#path, now, now).catch(() => undefined);
  }

  /** From now on the mark is not touched. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes the mark out of the folder. Throws what the file system throws. */
  remove(): void {
    this.stop();
    rmSync(this.#path, { force: true });
  }
}

/** Whether the run that made `folder` is gone, as far as can be told at `now`. Throws what the file system throws. */
export function isLeftBehind(folder: string, now: number, self = thisOwner()): boolean {
  const mark = join(folder, OWNER_MARK);
  const info = lstatSync(mark, { throwIfNoEntry: false });
  if (!info) {
    // Killed before it wrote its mark, or after it removed it: see OwnFolder. No entry came or went for a day.
    const { mtimeMs, ctimeMs } = lstatSync(folder);
    return now - Math.max(mtimeMs, ctimeMs) > LEFT_AFTER;
  }
  const owner = info.isFile() && info.size <= MARK_MAX_BYTES ? readOwner(mark) : undefined;
  const state = owner ? stateOf(owner, info.mtimeMs, now, self) : 'unknown';
  return state === 'gone' || (state === 'unknown' && now - info.mtimeMs > LEFT_AFTER);
}

/** Whether the process is there for sure: not when nobody can tell. */
export function isThere(owner: Owner, self = thisOwner()): boolean {
  return stateOf(owner, 0, 0, self) === 'there';
}

function stateOf(owner: Owner, touched: number, now: number, self: Owner): 'gone' | 'there' | 'unknown' {
  if (owner.host !== self.host || (owner.boot === null) !== (self.boot === null)) return 'unknown';
  const boots = owner.bootTime - self.bootTime;
  const sameBoot = self.boot !== null ? owner.boot === self.boot : Math.abs(boots) <= BOOT_SLACK;
  if (!sameBoot) {
    // Another machine of the same name would be touching its mark.
    const earlier = self.boot !== null || boots < 0;
    return earlier && touched < self.bootTime && now - touched > 3 * TOUCHED_EVERY ? 'gone' : 'unknown';
  }
  const sameNamespace = owner.pidNamespace === self.pidNamespace && (self.boot === null || self.pidNamespace !== null);
  if (!sameNamespace) return 'unknown';
  return isRunning(owner) ? 'there' : 'gone';
}

function isRunning({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
  const [state, start] = statOf(pid);
  if (state === 'Z') return false; // killed, and its parent has not asked yet, or never will
  return start === null || started === null || start === started;
}

/** A process's state and when it was started, in clock ticks since the boot; nulls where the system does not say. */
function statOf(pid: number | 'self'): [state: string | null, started: string | null] {
  const stat = orNull(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === null) return [null, null];
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third on: the second may hold anything
  return [fields[0] ?? null, fields[22 - 3] ?? null];
}

/** undefined when the mark does not say who. */
export function readOwner(path: string): Owner | undefined {
  const owner = orNull(() => JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner> | null);
  if (typeof owner !== 'object' || owner === null) return undefined;
  const { host, boot, bootTime, pidNamespace, pid, started } = owner;
  const isText = (value: unknown): boolean => value === null || typeof value === 'string';
  const isWhole = typeof host === 'string' && typeof bootTime === 'number' && Number.isInteger(pid) && pid! > 0 && [boot, pidNamespace, started].every(isText);
  return isWhole ? owner as Owner : undefined;
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
