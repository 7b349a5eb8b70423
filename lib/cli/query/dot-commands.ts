/** What can be entered at the prompt besides SQL: `.help`, `.tables`, `.schema`, `.format`. */
import type { Paint } from '../color.ts';
import { tellProblem } from '../messages.ts';
import { near } from '../options/near.ts';
import { DOT_COMMANDS, type CatalogTable } from './catalog.ts';
import { formats, type TextFormat } from './format.ts';
import { tableWriter } from './table.ts';

export interface DotContext {
  readonly format: TextFormat;
  readonly tables: readonly CatalogTable[];
  readonly paint: Paint;
}

const HELP = `SQL goes over as many lines as it needs and ends with ;  Only what reads is taken.
.tables          what there is to select from
.schema [TABLE]  columns and their types
.format [NAME]   how results are shown: table, csv or json
.exit            leaves, as exit, quit and Ctrl+D do
Tab completes names and words; Ctrl+C clears what was entered, or cancels a query.
`;

/** Acts on a line that begins with a dot; gives the format from now on. */
export function dotCommand(line: string, context: DotContext): TextFormat {
  const [command = '', value, ...more] = line.replace(/\s*;$/, '').split(/\s+/);
  const { format } = context;
  if (more.length > 0) return wrong(`${command} takes one word`, format);
  if (command === '.help') process.stdout.write(HELP);
  else if (command === '.tables') process.stdout.write(context.tables.map(({ name }) => `${name}\n`).join(''));
  else if (command === '.schema') showSchema(value, context);
  else if (command === '.format') return formatCalled(value, format);
  else {
    const meant = near(command, DOT_COMMANDS);
    return wrong(`There is no command ${command}: ${meant === undefined ? '.help says which there are' : `did you mean ${meant}?`}`, format);
  }
  return format;
}

function formatCalled(value: string | undefined, format: TextFormat): TextFormat {
  const known = formats.filter((name) => name !== 'parquet');
  const chosen = known.find((name) => name === value);
  if (value !== undefined && chosen === undefined) return wrong(`.format takes ${known.join(', ')}`, format);
  process.stdout.write(`${chosen ?? format}\n`);
  return chosen ?? format;
}

function showSchema(value: string | undefined, { tables, paint }: DotContext): void {
  const shown = value === undefined ? tables : tables.filter(({ name }) => name === value.toLowerCase());
  if (shown.length === 0) return wrong(`There is no table ${value}: .tables says which there are`, undefined);
  const rows = shown.flatMap(({ name, columns }) => columns.map((column) => [name, column.name, column.type]));
  const writer = tableWriter({ isShown: true, paint })(['table', 'column', 'type'].map((name) => ({ name, type: 'VARCHAR', isNumber: false })));
  process.stdout.write(writer.rows({ rows: rows.length, columns: [0, 1, 2].map((at) => rows.map((row) => row[at]!)) }) + writer.end());
}

function wrong<T>(text: string, result: T): T {
  tellProblem(`${text}.`.replace(/\?\.$/, '?'));
  return result;
}
