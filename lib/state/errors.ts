/** What goes wrong with a state, as errors of this library. Their messages name its folder. */
import { EtlError, messageOf } from '../core/errors.ts';

/** What the database does, as its messages say it. */
export type Doing = 'Opening' | 'Reading' | 'Writing';

/** `what`: a clause that says what is not there or not right. */
export function damaged(folder: string, what: string, cause?: unknown): EtlError {
  return new EtlError('ETL_STATE_DAMAGED', `The state ${folder} is damaged: ${what}.`, {
    cause,
    hint: 'etl-stream state check says what of it is good. To be sure of the result, build it anew from all inputs with --overwrite.',
  });
}

export function noState(folder: string): EtlError {
  return new EtlError('ETL_STATE_READ', `There is no state in ${folder}.`, { hint: 'Name the folder of the state with --state.' });
}

/** What LevelDB, or the file system under it, says. */
export function stateError(folder: string, doing: Doing, thrown: unknown): EtlError {
  if (thrown instanceof EtlError) return thrown;
  const cause = reasonOf(thrown);
  const message = messageOf(cause);
  const { code } = cause as NodeJS.ErrnoException;
  // LevelDB maps its tables and looks where their indices say: EINVAL is a place outside of the file. A file that another one names is there.
  const isDamage = code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && doing !== 'Writing' && /: (Invalid argument|No such file or directory)$/.test(message));
  if (isDamage) return damaged(folder, `LevelDB reports "${message}"`, cause);
  const isWrite = doing === 'Writing' || FULL.test(message);
  return new EtlError(isWrite ? 'ETL_STATE_WRITE' : 'ETL_STATE_READ', `${doing} the state ${folder} failed: ${message}.`, {
    cause,
    hint: HINTS.find(([pattern]) => pattern.test(message))?.[1] ?? 'Check permissions and the disk it is on.',
  });
}

const FULL = /No space left on device|ENOSPC|quota/i;
const HINTS: readonly (readonly [RegExp, string])[] = [
  [FULL, 'The disk is full. Free some space and run again: what was committed is as it was.'],
  [/Too many open files|EMFILE/i, 'Raise the limit of open files (ulimit -n).'],
];

/** abstract-level wraps what LevelDB says when opening fails. */
function reasonOf(error: unknown): unknown {
  const { code, cause } = error as { code?: string; cause?: unknown };
  return code === 'LEVEL_DATABASE_NOT_OPEN' && cause !== undefined ? cause : error;
}

/** Whether opening failed because another process has the database. File systems that cannot lock at all say so in the same place. */
export function isLocked(thrown: unknown): boolean {
  const cause = reasonOf(thrown);
  return (cause as NodeJS.ErrnoException).code === 'LEVEL_LOCKED' && !/No locks available|not supported|not implemented/i.test(messageOf(cause));
}
