/** What options come to: those that say which logs are read and which of their rows are taken, of a run and of `validate`; and all of a run's. */
import type { RunOptions } from '../core/options.ts';
import type { engines } from './options/run-options.ts';
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

export interface RunFlags extends InputFlags, Pick<RunOptions,
  'output' | 'overwrite' | 'rejectsFormat' | 'geoDb' | 'geoField' | 'groupBy' | 'compression' | 'parquetEncoding'
  | 'report' | 'state' | 'checkpoint' | 'dedupWindow' | 'temp' | 'jobs' | 'memory' | 'maxSpill'> {
  readonly engine?: (typeof engines)[number];
  readonly master?: string;
  readonly sparkSubmit?: string;
  readonly conf?: readonly string[];
  readonly explain?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly metricsFile?: string;
  readonly color?: boolean;
}

export function runOptionsOf(inputs: readonly string[], flags: RunFlags): RunOptions {
  const { output, overwrite, rejectsFormat, geoDb, geoField, groupBy, compression, parquetEncoding, report, state, checkpoint, dedupWindow, temp, jobs, memory, maxSpill } = flags;
  return {
    ...inputOptionsOf(flags),
    inputs, output, overwrite, rejectsFormat, geoDb, geoField, groupBy, compression, parquetEncoding, report, state, checkpoint, dedupWindow, temp, jobs, memory, maxSpill,
  };
}
