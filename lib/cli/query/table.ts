/**
 * A result as aligned text for people, of any number of rows: widths are made of the first 1,000, which are held back, and kept for all the rest. NULL is told from the text
 * `NULL`, which has quotes. A value that is wider than a column may be is cut on a terminal, but never a number; elsewhere all of it is there, and shifts what follows.
 */
import type { Paint } from '../color.ts';
import { printable, printableLines } from '../printable.ts';
import type { MakeWriter } from './format.ts';
import { cutTo, widthOf } from './width.ts';

/** Rows that widths are made of, and characters of them: wide rows are fewer. */
const MEASURED_ROWS = 1000;
const MEASURED_LENGTH = 1 << 20;
/** Most that a column is padded to; on a terminal, most that is shown of a value. */
const WIDEST = 80;
/** Before anything is made of it: a value may be megabytes. */
const LONGEST = 4 * WIDEST;
const NULL = 'NULL';

export interface TableOptions {
  /** On a terminal: values are cut. */
  readonly isShown: boolean;
  readonly paint: Paint;
}

export function tableWriter({ isShown, paint }: TableOptions): MakeWriter {
  return (columns) => {
    const shown = (text: string): string => (isShown ? cutTo(printable(text.slice(0, LONGEST)), WIDEST) : printable(text));
    const cell = (value: string | null, column: number): string | null => {
      if (value === null) return null;
      if (columns[column]!.isNumber) return printable(value);
      return /^'*NULL'*$/.test(value) ? `'${value}'` : shown(value);
    };
    if (columns.length === 2 && columns[0]!.name === 'explain_key' && columns[1]!.name === 'explain_value') return planWriter;
    const names = columns.map(({ name }) => shown(name));
    const widths = names.map(widthOf);
    const held: (string | null)[][] = [];
    let heldLength = 0;
    let isBegun = false;

    const line = (cells: readonly (string | null)[]): string => {
      let text = '';
      for (let column = 0; column < cells.length; column++) {
        const value = cells[column] ?? NULL;
        const gap = ' '.repeat(Math.max(0, widths[column]! - widthOf(value)));
        const painted = cells[column] === null ? paint('dim', NULL) : value;
        const isLast = column === cells.length - 1;
        text += `${column === 0 ? '' : '  '}${columns[column]!.isNumber ? gap + painted : isLast ? painted : painted + gap}`;
      }
      return `${text}\n`;
    };
    const begin = (): string => {
      isBegun = true;
      for (const cells of held) cells.forEach((value, column) => (widths[column] = Math.max(widths[column]!, Math.min(widthOf(value ?? NULL), WIDEST))));
      const head = columns.length === 0 ? '' : line(names) + line(widths.map((width) => '-'.repeat(width)));
      return head + held.splice(0).map(line).join('');
    };
    return {
      begin: () => '',
      rows: ({ rows, columns: values }) => {
        let text = '';
        for (let row = 0; row < rows; row++) {
          const cells = values.map((of, column) => cell(of[row]!, column));
          if (isBegun) {
            text += line(cells);
            continue;
          }
          held.push(cells);
          for (const value of cells) heldLength += value?.length ?? NULL.length;
          if (held.length >= MEASURED_ROWS || heldLength >= MEASURED_LENGTH) text += begin();
        }
        return text;
      },
      end: () => (isBegun ? '' : begin()),
    };
  };
}

/** A plan, as EXPLAIN gives it, is a drawing of many lines. */
const planWriter: ReturnType<MakeWriter> = {
  begin: () => '',
  rows: ({ columns: [, plans = []] }) => plans.map((plan) => `${printableLines(plan ?? NULL).trimEnd()}\n`).join(''),
  end: () => '',
};
