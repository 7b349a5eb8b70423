/** `etl-stream validate <inputs...>`: what of them a run would reject, by file and reason. */
import { count, number } from '../core/figures.ts';
import { validate, type Validation } from '../index.ts';
import { EXIT_DONE, EXIT_REJECTED, untilSignalled } from './exit.ts';
import { tellGuess } from './guess.ts';
import { inputOptionsOf, type InputFlags } from './inputs.ts';
import { printable, printableJson } from './printable.ts';
import { table } from './table.ts';

export interface ValidateFlags extends InputFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export async function validateCommand(inputs: readonly string[], flags: ValidateFlags): Promise<number> {
  const found = await untilSignalled((signal) => validate({ ...inputOptionsOf(flags), inputs }, { signal, ...(!flags.quiet && { onGuess: tellGuess }) }));
  process.stdout.write(flags.json ? `${printableJson(found)}\n` : formatValidation(found));
  return found.isAccepted ? EXIT_DONE : EXIT_REJECTED;
}

const HEADS = ['input', 'reason', 'rows', 'first in line', 'which says'];

/** As aligned text for a person, ending in a line break. */
export function formatValidation({ inputs, rows, limit, isAccepted }: Validation): string {
  const lines = inputs.flatMap(({ name, rows, rejected, reasons, error }) => [
    [name, rejected === 0 && error === undefined ? 'good' : 'read', number(rows), '', ''],
    ...reasons.map(({ reason, rows, first }) => ['', reason, number(rows), number(first.line), first.message]),
    ...(error ? [['', error.code, '', '', error.message]] : []),
  ].map((cells) => cells.map(printable)));
  const unread = inputs.filter(({ error }) => error).length;
  const share = rows.read === 0 ? '' : ` (${((100 * rows.rejected) / rows.read).toFixed(2)} %)`;
  const end = `${count(inputs.length, 'input')}, ${count(rows.read, 'row')}, ${number(rows.rejected)} rejected${share}, at most ${limit} may be` +
    `${unread === 0 ? '' : `; ${count(unread, 'input')} cannot be read as ${unread === 1 ? 'a log' : 'logs'}`}: ${isAccepted ? 'a run would take them' : 'a run would not take them'}`;
  return [...aligned([HEADS, ...lines]), '', end].map((line) => `${line}\n`).join('');
}

/** Two columns of names, two of figures, and a sentence. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const figures = table(rows.map((cells) => cells.slice(0, -1)), 2);
  const width = figures.reduce((widest, line) => Math.max(widest, line.length), 0);
  return rows.map((cells, row) => `${figures[row]!.padEnd(width)}  ${cells.at(-1)!}`.trimEnd());
}
