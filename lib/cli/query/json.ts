/**
 * A result as JSON: an array of objects, one a line. Numbers have all their digits, whatever a reader makes of them; NaN and the infinities, which JSON lacks,
 * are null. A column of DuckDB's type JSON is what it is; other nested values and moments are text, as DuckDB writes them.
 */
import type { ResultColumn } from '../../index.ts';
import { printableJsonLine } from '../printable.ts';
import type { MakeWriter } from './format.ts';

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i;

/** The same text on a terminal and elsewhere: what a terminal would act upon is escaped, and means the same. */
export const jsonWriter: MakeWriter = (columns) => {
  const keys = distinct(columns.map(({ name }) => name)).map((name) => `${JSON.stringify(name)}:`);
  const written = columns.map(valueOf);
  let isFirst = true;
  return {
    begin: () => '[',
    rows: ({ rows, columns: values }) => {
      let text = '';
      for (let row = 0; row < rows; row++) {
        text += isFirst ? '\n{' : ',\n{';
        isFirst = false;
        for (let column = 0; column < values.length; column++) {
          const value = values[column]![row]!;
          text += `${column === 0 ? '' : ','}${keys[column]!}${value === null ? 'null' : written[column]!(value)}`;
        }
        text += '}';
      }
      return printableJsonLine(text);
    },
    end: () => (isFirst ? ']\n' : '\n]\n'),
  };
};

function valueOf({ type, isNumber }: ResultColumn): (value: string) => string {
  if (isNumber) return (value) => (NUMBER.test(value) ? value : 'null');
  if (type === 'BOOLEAN') return (value) => value;
  if (type === 'JSON') return (value) => value.replace(/[\r\n]+/g, ' '); // raw ones stand between values only
  return (value) => JSON.stringify(value);
}

/** Names that are told apart, as DuckDB does it: `a`, `a_1`. */
function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let free = name;
    for (let n = 1; taken.has(free) || (free !== name && names.includes(free)); n++) free = `${name}_${n}`;
    taken.add(free);
    return free;
  });
}
