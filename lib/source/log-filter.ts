/** Which files below a folder are logs: by their extensions, or by a pattern for their paths. */
import picomatch from 'picomatch';
import { EtlError, messageOf } from '../core/errors.ts';

const LOG_NAME = /\.(csv|tsv)(\.(gz|zst|bz2))?$/i;
/** A part of a pattern that begins with a dot: at its start, after a slash, or as an alternative. */
const HIDDEN_PART = /(^|[/{,(|!])\\?\./;

export interface LogFilter {
  /** Whether a file is a log, by its path below the folder; `/` stands between its parts. */
  isLog(path: string): boolean;
  /** Whether hidden entries may be logs, or hold some. */
  readonly searchesHidden: boolean;
  /** What a folder without logs does not have, and what to do then. */
  readonly what: string;
  readonly hint: string;
}

/**
 * What a run takes of a folder. Hidden entries are left out, unless the pattern has the dot that their names begin with.
 * Throws ETL_USAGE for what is no pattern.
 */
export function logsIn(glob: string | undefined): LogFilter {
  if (glob === undefined) {
    return {
      isLog: (path) => LOG_NAME.test(path),
      searchesHidden: false,
      what: '*.csv or *.tsv file',
      hint: 'Name the files themselves if they are called otherwise, or say by --glob which of them are logs.',
    };
  }
  return {
    isLog: matcher(glob),
    searchesHidden: HIDDEN_PART.test(glob),
    what: `file that matches --glob ${JSON.stringify(glob)}`,
    hint: 'The pattern is for the whole path below the folder: * stays inside one name, **/*.log finds logs at every depth.',
  };
}

function matcher(glob: string): (path: string) => boolean {
  try {
    return picomatch(glob, { windows: false, strictBrackets: true });
  } catch (cause) {
    throw new EtlError('ETL_USAGE', `--glob ${JSON.stringify(glob)} is no pattern: ${messageOf(cause)}.`, { cause });
  }
}
