/** From an input's first record to the places of the wanted columns. */
import { EtlError } from '../core/errors.ts';
import type { ColumnNames } from '../core/options.ts';
import { MENDED_COLUMN } from '../core/rejects.ts';
import { ENTRY_POSITION } from '../kernels/parse-layout.ts';
import { fieldProblem, fieldText } from './field-text.ts';
import type { Scanner } from './scanner.ts';

/** Places count from 0. */
export interface HeaderMap {
  /** Fields that every record of the input must have. */
  readonly fields: number;
  readonly id: number;
  readonly user: number;
  readonly ip: number;
  readonly value: number;
  /** Of the columns that have rules, besides the four, in the order of WantedColumns; -1: it is not there. Default: none. */
  readonly ruled?: readonly number[] | undefined;
  /** The input is a file of rejects that were mended, see mended.ts. */
  readonly mended?: boolean | undefined;
}

/** The four, and those that have rules. */
export interface WantedColumns extends ColumnNames {
  readonly ruled?: readonly string[] | undefined;
}

const options = { id: '--id-column', user: '--user-column', ip: '--ip-column', value: '--value-column' } as const;
type Wanted = keyof typeof options;
/** Names that an error lists. */
const LISTED = 50;

/**
 * Finds each wanted column among `names`; names are compared exactly. Other columns may be called anything, also twice.
 * A header can have a million names: they pass by, and only the first few are kept. Throws ETL_HEADER, with every column
 * at fault, what was found and the option that names a column.
 */
export function mapHeader(names: Iterable<string>, wanted: WantedColumns, inputName: string): HeaderMap {
  const columns = Object.keys(options) as Wanted[];
  const places = { id: -1, user: -1, ip: -1, value: -1 };
  const twice = new Set<Wanted>();
  const ruled = new Map((wanted.ruled ?? []).map((name) => [name, -1]));
  const ruledTwice = new Set<string>();
  let mended = false;
  const first: string[] = [];
  let fields = 0;
  let empty = true;
  for (const name of names) {
    for (const column of columns) {
      if (name !== wanted[column]) continue;
      if (places[column] < 0) places[column] = fields;
      else twice.add(column);
    }
    if (ruled.get(name) === -1) ruled.set(name, fields);
    else if (ruled.has(name)) ruledTwice.add(name);
    mended ||= name === MENDED_COLUMN;
    empty &&= name.trim() === '';
    if (fields++ < LISTED) first.push(shown(name));
  }
  if (empty) {
    throw new EtlError('ETL_HEADER', `The header of ${inputName} is empty.`, {
      hint: 'The first line must name the columns.',
    });
  }
  const fault = (column: Wanted, more = ''): string => `${shown(wanted[column])}${more} (${options[column]})`;
  const missing = columns.filter((column) => places[column] < 0).map((column) => fault(column));
  const repeated = columns.filter((column) => twice.has(column)).map((column) => `the column ${fault(column, ' more than once')}`);
  // A file of rejects has the four columns only.
  if (!mended) for (const [name, place] of ruled) if (place < 0) missing.push(`${shown(name)} (--rule)`);
  for (const name of ruledTwice) repeated.push(`the column ${shown(name)} more than once (--rule)`);
  const faults = [...(missing.length > 0 ? [`no column ${missing.join(', ')}`] : []), ...repeated];
  if (faults.length > 0) {
    const found = first.join(', ') + (fields > LISTED ? ` and ${fields - LISTED} more` : '');
    throw new EtlError('ETL_HEADER', `The header of ${inputName} has ${faults.join(', and ')}.`, {
      hint: `It has ${found}. The options in parentheses choose columns by other names; --delimiter says what stands between fields, --sniff guesses it.`,
    });
  }
  return { fields, ...places, ...(ruled.size > 0 && { ruled: [...ruled.values()] }), ...(mended && { mended }) };
}

/** The fields of the record that the scanner took last. Throws ETL_HEADER when their quotes are malformed. */
export function* headerNames(scanner: Scanner, inputName: string, quote: string): Generator<string> {
  const { record, index, window } = scanner;
  let from = record.start;
  for (const entry of index.subarray(record.first, record.next)) {
    if (fieldProblem(entry)) {
      throw new EtlError('ETL_HEADER', `The header of ${inputName} has a misplaced quote.`, {
        hint: 'A name with quotes in it must be quoted as a whole, its quotes doubled.',
      });
    }
    const to = entry & ENTRY_POSITION;
    yield fieldText(window, from, to, entry, quote);
    from = to + 1;
  }
}

function shown(name: string): string {
  return `\`${name.length > 100 ? `${name.slice(0, 100)}…` : name}\``;
}
