/**
 * Statements that were entered at the prompt before, in a file of the user: `query-history` in the folder for such things, one JSON text a line, so that a statement of several lines is one entry;
 * mode 0600, at most 1,000 of them. Several prompts may add to it. A file that cannot be written is no reason to fail: then there is no history beyond this prompt.
 */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

export const MOST_ENTRIES = 1000;
/** What a file may hold when it is read: rather none than all of a process's memory. */
const MOST_BYTES = 16e6;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where it is; undefined: nowhere. Relative paths do not count, as the XDG specification has it. */
export function historyFile(environment: Environment = process.env, platform: NodeJS.Platform = process.platform, home: string = homedir()): string | undefined {
  const folder = {
    xdg: () => environment.XDG_STATE_HOME && isAbsolute(environment.XDG_STATE_HOME) ? environment.XDG_STATE_HOME : home && join(home, '.local', 'state'),
    darwin: () => home && join(home, 'Library', 'Application Support'),
    win32: () => environment.LOCALAPPDATA ?? (home && join(home, 'AppData', 'Local')),
  }[platform === 'darwin' && environment.XDG_STATE_HOME === undefined ? 'darwin' : platform === 'win32' ? 'win32' : 'xdg']();
  return folder ? join(folder, 'etl-stream', 'query-history') : undefined;
}

export class History {
  /** The newest first. */
  readonly entries: string[] = [];
  readonly #file: string | undefined;

  private constructor(file: string | undefined) {
    this.#file = file;
  }

  /** Reads it, and makes it short again. */
  static open(file: string | undefined = historyFile()): History {
    const history = new History(file);
    const all = file === undefined ? [] : read(file);
    history.entries.push(...all.slice(-MOST_ENTRIES).reverse());
    if (all.length > MOST_ENTRIES) history.#attempt((path) => {
      const next = `${path}.${process.pid}`;
      writeFileSync(next, history.entries.toReversed().map(line).join(''), { mode: 0o600 });
      renameSync(next, path);
    });
    return history;
  }

  /** Nothing when it is the same as the newest. */
  add(statement: string): void {
    if (statement === this.entries[0]) return;
    this.entries.unshift(statement);
    this.entries.length = Math.min(this.entries.length, MOST_ENTRIES);
    this.#attempt((path) => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      appendFileSync(path, line(statement), { mode: 0o600 });
      chmodSync(path, 0o600); // whoever made it
    });
  }

  #attempt(work: (path: string) => void): void {
    if (this.#file === undefined) return;
    try {
      work(this.#file);
    } catch {
      // It is a convenience.
    }
  }
}

function line(statement: string): string {
  return `${JSON.stringify(statement)}\n`;
}

function read(file: string): string[] {
  try {
    const bytes = readFileSync(file);
    return bytes.length > MOST_BYTES ? [] : bytes.toString().split('\n').flatMap(entryOf);
  } catch {
    return [];
  }
}

/** None for a line that a process did not write to its end. */
function entryOf(text: string): string[] {
  try {
    const entry: unknown = JSON.parse(text);
    return typeof entry === 'string' ? [entry] : [];
  } catch {
    return [];
  }
}
