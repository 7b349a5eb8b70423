/** From an input's first record to the places of the wanted columns. */
import { EtlError } from '../core/errors.ts';
import type { ColumnNames } from '../core/options.ts';
import { ENTRY_POSITION } from '../kernels/parse-layout.ts';
import { fieldProblem, fieldText, type Scanner } from './scanner.ts';

/** Places count from 0. */
export interface HeaderMap {
  /** Fields that every record of the input must have. */
  readonly fields: number;
  readonly id: number;
  readonly user: number;
  readonly ip: number;
  readonly value: number;
}

const options = { id: '--id-column', user: '--user-column', ip: '--ip-column', value: '--value-column' } as const;

/**
 * Finds each wanted column among `names`; names are compared exactly. Other columns may be called anything, also twice.
 * Throws ETL_HEADER, with every column at fault, what was found and the option that names a column.
 */
export function mapHeader(names: readonly string[], wanted: ColumnNames, inputName: string): HeaderMap {
  if (names.every((name) => name.trim() === '')) {
    throw new EtlError('ETL_HEADER', `The header of ${inputName} is empty.`, {
      hint: 'The first line must name the columns.',
    });
  }
  const missing: string[] = [];
  const repeated: string[] = [];
  const place = (column: keyof typeof options): number => {
    const name = wanted[column];
    const at = names.indexOf(name);
    if (at < 0) missing.push(`${shown(name)} (${options[column]})`);
    else if (names.includes(name, at + 1)) repeated.push(`the column ${shown(name)} more than once (${options[column]})`);
    return at;
  };
  const map = { fields: names.length, id: place('id'), user: place('user'), ip: place('ip'), value: place('value') };
  const faults = [...(missing.length > 0 ? [`no column ${missing.join(', ')}`] : []), ...repeated];
  if (faults.length > 0) {
    throw new EtlError('ETL_HEADER', `The header of ${inputName} has ${faults.join(', and ')}.`, {
      hint: `It has ${list(names)}. The options in parentheses choose columns by other names; commas separate them.`,
    });
  }
  return map;
}

/** The fields of the record that the scanner took last. Throws ETL_HEADER when their quotes are malformed. */
export function headerNames(scanner: Scanner, inputName: string, quote: string): string[] {
  const { record, index, window } = scanner;
  let from = record.start;
  return Array.from(index.subarray(record.first, record.next), (entry) => {
    if (fieldProblem(entry)) {
      throw new EtlError('ETL_HEADER', `The header of ${inputName} has a misplaced quote.`, {
        hint: 'A name with quotes in it must be quoted as a whole, its quotes doubled.',
      });
    }
    const to = entry & ENTRY_POSITION;
    const name = fieldText(window, from, to, entry, quote);
    from = to + 1;
    return name;
  });
}

function shown(name: string): string {
  return `\`${name.length > 100 ? `${name.slice(0, 100)}…` : name}\``;
}

function list(names: readonly string[]): string {
  const first = names.slice(0, 50).map(shown).join(', ');
  return names.length > 50 ? `${first} and ${names.length - 50} more` : first;
}
