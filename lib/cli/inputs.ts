/** The options that say which logs are read and which of their rows are taken: those of a run, and of `validate`. */
import type { Command } from 'commander';
import { defaultColumns, MAX_VALUE_SCALE, type RunOptions } from '../core/options.ts';
import { parseRule } from '../core/rules.ts';
import { addDialectOptions, dialectOf, wholeNumber, type DialectFlags } from './dialect.ts';
import { parseMaxRejects } from './max-rejects.ts';
import { parseSize } from './size.ts';

export interface InputFlags extends DialectFlags {
  idColumn?: string;
  userColumn?: string;
  ipColumn?: string;
  valueColumn?: string;
  valueScale?: number;
  glob?: string;
  rule?: string[];
  maxRejects?: string;
}

export function addInputOptions(command: Command): Command {
  command
    .option('--id-column <name>', `column that identifies a log (default: ${defaultColumns.id})`)
    .option('--user-column <name>', `column of the user (default: ${defaultColumns.user})`)
    .option('--ip-column <name>', `column of the IP address (default: ${defaultColumns.ip})`)
    .option('--value-column <name>', `column to sum (default: ${defaultColumns.value})`)
    .option('--value-scale <places>', `decimal places of the value, 0-${MAX_VALUE_SCALE} (default: found in the first MiB)`, wholeNumber)
    .option('--glob <pattern>', 'which files of a folder are logs, such as "2026-*/*.log" (default: *.csv and *.tsv, also .gz, .zst, .bz2)')
    .option('--rule <column:rule>', 'what a field must be: required, optional, type=T, min=N, max=N, pattern=REGEXP or one-of=a|b; again for more (default: the value is 0 to 1440)', more)
    .option('--max-rejects <limit>', 'most rows that may be rejected, as a number or a share; more is exit code 3 (default: 5%)');
  return addDialectOptions(command);
}

/** What they come to. Throws ETL_USAGE. */
export function inputOptionsOf(flags: InputFlags): Omit<RunOptions, 'inputs'> {
  const { idColumn, userColumn, ipColumn, valueColumn, valueScale, glob, rule, maxRejects, maxRecord, encoding, sniff, onError } = flags;
  return {
    columns: { id: idColumn, user: userColumn, ip: ipColumn, value: valueColumn },
    valueScale, glob, encoding, sniff, onError,
    dialect: dialectOf(flags),
    rules: rule?.map(parseRule),
    maxRejects: maxRejects === undefined ? undefined : parseMaxRejects(maxRejects),
    maxRecord: maxRecord === undefined ? undefined : parseSize(maxRecord, '--max-record'),
  };
}

/** An option that may come again. */
function more(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
