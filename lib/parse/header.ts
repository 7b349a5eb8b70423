/** From the names in an input's header to the places of the wanted columns. */
import { EtlError } from '../core/errors.ts';
import type { ColumnNames } from '../core/options.ts';

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
    throw new EtlError('ETL_HEADER', `The header of ${inputName} is empty.`, { hint: 'The first line must name the columns.' });
  }
  const faults: string[] = [];
  const place = (column: keyof typeof options): number => {
    const name = wanted[column];
    const at = names.indexOf(name);
    if (at < 0) faults.push(`has no column ${quote(name)} (${options[column]} NAME chooses another)`);
    else if (names.indexOf(name, at + 1) >= 0) faults.push(`has the column ${quote(name)} more than once (${options[column]} NAME chooses another)`);
    return at;
  };
  const map = { fields: names.length, id: place('id'), user: place('user'), ip: place('ip'), value: place('value') };
  if (faults.length > 0) {
    throw new EtlError('ETL_HEADER', `The header of ${inputName} ${faults.join(', and ')}.`, { hint: `It has ${list(names)}.` });
  }
  return map;
}

function quote(name: string): string {
  return `\`${name.length > 100 ? `${name.slice(0, 100)}…` : name}\``;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 50).map(quote).join(', ');
  return names.length > 50 ? `${shown} and ${names.length - 50} more` : shown;
}
