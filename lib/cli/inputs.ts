/** What the options come to that say which logs are read and which of their rows are taken: those of a run, and of `validate`. */
import type { RunOptions } from '../core/options.ts';
import { dialectOf, type DialectFlags } from './dialect.ts';

export interface InputFlags extends DialectFlags, Pick<RunOptions, 'valueScale' | 'glob' | 'maxRejects'> {
  readonly idColumn?: string;
  readonly userColumn?: string;
  readonly ipColumn?: string;
  readonly valueColumn?: string;
  readonly rule?: RunOptions['rules'];
}

export function inputOptionsOf(flags: InputFlags): Omit<RunOptions, 'inputs'> {
  const { idColumn, userColumn, ipColumn, valueColumn, valueScale, glob, rule, maxRejects, maxRecord, encoding, sniff, onError } = flags;
  return {
    columns: { id: idColumn, user: userColumn, ip: ipColumn, value: valueColumn },
    valueScale, glob, encoding, sniff, onError, maxRejects, maxRecord,
    dialect: dialectOf(flags),
    rules: rule,
  };
}
