/**
 * `etl-stream query <output> [sql]`: one statement over a dataset, from the command line or standard input, or a prompt on a terminal. The result streams to standard output or into a file,
 * in bounded memory; DuckDB is in a process of its own.
 */
import { isatty } from 'node:tty';
import { dirname, extname, resolve } from 'node:path';
import { count } from '../core/figures.ts';
import { EtlError } from '../core/errors.ts';
import { openQueries } from '../index.ts';
import { hasColors, painter } from './color.ts';
import { EXIT_DONE, untilSignalled } from './exit.ts';
import { tellBlock } from './messages.ts';
import { answer } from './query/answer.ts';
import { resultFile, standardOutput } from './query/destination.ts';
import { formats, type Format } from './query/format.ts';
import { prompt } from './query/prompt.ts';
import { isBlank, readStatement } from './query/statement.ts';
import { printable } from './printable.ts';

export interface QueryFlags {
  readonly format?: Format;
  readonly output?: string;
  /** Bytes that DuckDB's process may have resident. */
  readonly memory?: number;
  readonly jobs?: number;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly temp?: string;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

export async function queryCommand([output = '', given]: readonly string[], { output: said, ...others }: QueryFlags): Promise<number> {
  // As elsewhere, - is no file.
  const flags: QueryFlags = said === undefined || said === '-' ? others : { ...others, output: said };
  const { memory, jobs, timeout, temp, quiet, color, output: file } = flags;
  const format = formatOf(flags);
  const isShown = file === undefined && process.stdout.isTTY;
  const paint = painter(file === undefined && hasColors({ flag: color, stream: process.stdout }));
  const seconds = timeout === undefined ? undefined : timeout / 1000;
  // Parquet is moved to its place from there.
  const limits = { memory, jobs, temp: temp ?? (format === 'parquet' && file !== undefined ? dirname(resolve(file)) : undefined) };
  if (given === undefined && isatty(0)) {
    checkPrompt(flags);
    return prompt({ open: () => openQueries({ output, ...limits }), format, paint, seconds });
  }
  return untilSignalled(async (signal) => {
    const sql = given === undefined || given === '-' ? await readStatement(process.stdin, signal) : given;
    if (isBlank(sql)) throw noStatement();
    const destination = file === undefined ? standardOutput(signal) : await resultFile(file, output);
    try {
      const queries = await openQueries({ output, ...limits });
      const rows = await answer(queries, sql, { format, destination, isShown, paint, seconds, signal }).finally(() => queries.close());
      await destination.keep();
      if (!quiet && (file !== undefined || format === 'table')) tellBlock(`${count(rows, 'row')}${file === undefined ? '' : `: ${printable(file)}`}\n`, 'done', { rows, file });
    } finally {
      await destination.discard();
    }
    return EXIT_DONE;
  });
}

/** As it is said; else by the name of the file. */
function formatOf({ format, output }: QueryFlags): Format {
  const ending = output === undefined ? '' : extname(output).slice(1).toLowerCase();
  const named = ['', 'txt'].includes(ending) ? 'table' : formats.find((name) => name === ending && name !== 'table');
  const chosen = format ?? named;
  if (chosen === undefined) {
    throw new EtlError('ETL_USAGE', `--output ${output} says no format: there is none that ends with .${ending}.`, { hint: 'Let it end with .csv, .json, .parquet, or .txt for a table; or say --format.' });
  }
  if (chosen === 'parquet' && output === undefined && process.stdout.isTTY) {
    throw new EtlError('ETL_USAGE', 'Parquet is nothing for a terminal.', { hint: 'Name a file with -o, or pipe it into a program.' });
  }
  return chosen;
}

function checkPrompt({ output }: QueryFlags): void {
  if (output === undefined && process.stdout.isTTY) return;
  throw new EtlError('ETL_USAGE', 'There is no SQL: standard input is a terminal, and a prompt would have to write to one, too.', {
    hint: 'Say it behind the dataset, "SELECT …", or with - enter it to its end, Ctrl+D.',
  });
}

function noStatement(): EtlError {
  return new EtlError('ETL_USAGE', 'There is no SQL.', { hint: 'Say it behind the dataset, "SELECT …", or on standard input.' });
}
