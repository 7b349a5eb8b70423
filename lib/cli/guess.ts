import type { Guess } from '../index.ts';
import { printable } from './printable.ts';

/** Says what `--sniff` guessed, and of which inputs. */
export function tellGuess({ dialect, inputs, first }: Guess): void {
  process.stderr.write(`etl-stream: sniffed: ${printable(dialect)} (${printable(first)}${inputs > 1 ? ` and ${inputs - 1} more` : ''})\n`);
}
