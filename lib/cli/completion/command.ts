/** `etl-stream completion <shell>`: prints what makes a shell complete its commands and options. */
import { EtlError } from '../../core/errors.ts';
import { EXIT_DONE } from '../exit.ts';
import { shells } from '../options/message-options.ts';
import { program } from '../options/table.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { zshCompletion } from './zsh.ts';

const SCRIPTS: Readonly<Record<string, typeof bashCompletion>> = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export async function completionCommand([shell = '']: readonly string[]): Promise<number> {
  if (!(shells as readonly string[]).includes(shell)) throw new EtlError('ETL_USAGE', `The shell must be one of ${shells.join(', ')}, not ${JSON.stringify(shell)}.`);
  process.stdout.write(SCRIPTS[shell]!(program));
  return EXIT_DONE;
}
