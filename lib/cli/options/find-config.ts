/** Which configuration file there is: looked for by every command, so it loads nothing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EtlError } from '../../core/errors.ts';

const NAMES = ['etl-stream.config.json', 'etl-stream.config.ts'];

/** The file `named`, else that in `folder`; undefined: there is none. Throws ETL_USAGE when there are two. */
export function findConfigFile(named: string | undefined, folder: string): string | undefined {
  if (named !== undefined) return named;
  const found = NAMES.filter((name) => existsSync(join(folder, name)));
  if (found.length < 2) return found[0];
  throw new EtlError('ETL_USAGE', `There are two configuration files, ${found.join(' and ')}.`, { hint: 'Remove one, or say which: --config FILE.' });
}
