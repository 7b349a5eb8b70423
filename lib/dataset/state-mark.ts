/**
 * `_etl/state.json`: which state a dataset was published from, and which commit of it. It tells a later run whether what is
 * there is its own, and whether the last commit was published before the process ended.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';

/** Where it stands in a dataset. */
export const STATE_MARK = '_etl/state.json';

export interface StateMark {
  readonly format: 1;
  /** The state's own id. */
  readonly state: string;
  readonly commit: number;
}

/** Throws ETL_OUTPUT_WRITE. */
export async function writeStateMark(folder: string, mark: StateMark): Promise<void> {
  const path = join(folder, STATE_MARK);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${JSON.stringify(mark)}\n`, { flag: 'wx' });
  } catch (cause) {
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${path}: ${messageOf(cause)}.`, { cause });
  }
}

/** That of a dataset; undefined when there is none. Throws ETL_OUTPUT_EXISTS when there is one that says nothing. */
export async function readStateMark(output: string): Promise<StateMark | undefined> {
  const path = join(output, STATE_MARK);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(path, error);
  }
  try {
    const { format, state, commit } = JSON.parse(text) as Partial<StateMark>;
    if (format === 1 && typeof state === 'string' && Number.isSafeInteger(commit)) return { format, state, commit: commit! };
  } catch {
    // said below
  }
  throw unreadable(path, new Error('it is damaged'));
}

function unreadable(path: string, cause: unknown): EtlError {
  return new EtlError('ETL_OUTPUT_EXISTS', `Cannot tell which state the dataset was made from, by ${path}: ${messageOf(cause)}.`, {
    cause,
    hint: 'Rebuild the dataset from its logs with --overwrite, or choose another output with -o.',
  });
}
