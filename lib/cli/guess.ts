import type { Guess } from '../index.ts';
import { tell } from './messages.ts';

/** Says what `--sniff` guessed, and of which inputs. */
export function tellGuess({ dialect, inputs, first }: Guess): void {
  tell(`sniffed: ${dialect} (${first}${inputs > 1 ? ` and ${inputs - 1} more` : ''})`, { dialect, inputs, first });
}
