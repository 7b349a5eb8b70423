import { EtlError, messageOf } from './errors.ts';

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space on that disk; nothing was counted, and the next run goes on from there.',
  EMFILE: 'Raise the limit of open files (ulimit -n), or merge the files of ids: etl-stream state compact.',
};

/** What the file system says of a file that a state has beside its LevelDB: ETL_STATE_READ or ETL_STATE_WRITE. */
export function stateFileError(path: string, doing: 'read' | 'write', cause: unknown): EtlError {
  const hint = HINTS[(cause as NodeJS.ErrnoException | undefined)?.code ?? ''];
  return new EtlError(doing === 'read' ? 'ETL_STATE_READ' : 'ETL_STATE_WRITE', `Could not ${doing} ${path}: ${messageOf(cause)}.`, { cause, ...(hint && { hint }) });
}
