/**
 * A result as CSV (RFC 4180, UTF-8, lines end in LF): names of columns, then rows, every value exactly as it is. A formula of a spreadsheet is not
 * defused: this is data for programs, and a quote before it would be another value. NULL is an empty field, an empty text is `""`; a lone NULL is, too:
 * most readers pass over empty lines.
 */
import { csvField } from '../../core/csv-field.ts';
import { printable } from '../printable.ts';
import type { MakeWriter } from './format.ts';

/** `isShown`: on a terminal, where control characters of values must not be acted upon. */
export function csvWriter(isShown = false): MakeWriter {
  return (columns) => {
    const isLone = columns.length === 1;
    const field = (value: string | null): string => {
      if (value === null) return isLone ? '""' : '';
      return csvField(isShown ? printable(value) : value);
    };
    return {
      begin: () => `${columns.map(({ name }) => field(name)).join(',')}\n`,
      rows: ({ rows, columns: values }) => {
        let text = '';
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < values.length; column++) text += (column === 0 ? '' : ',') + field(values[column]![row]!);
          text += '\n';
        }
        return text;
      },
      end: () => '',
    };
  };
}
