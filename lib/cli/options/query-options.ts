/** Options of `query`: where its result goes and as what, and what DuckDB's process may take. */
import { formats } from '../query/format.ts';
import { duration, file, oneOf } from './kinds.ts';
import { resources } from './run-options.ts';
import type { OptionSpec } from './spec.ts';

export const queryResult: readonly OptionSpec[] = [
  {
    name: 'format', kind: oneOf('format', formats), about: 'how it is written', fallback: 'by the name of the file, else table', isCommon: true,
    detail: 'How the result is written. Default: as the name of the file ends (`.csv`, `.json`, `.parquet`), else a table, on a terminal and elsewhere.',
  },
  {
    name: 'output', short: 'o', kind: file, about: 'write it to a file, which is there when it is whole', isCommon: true, isOwn: true, isCommandLineOnly: true,
    detail: 'Write the result to a file, which is there, or replaced, when all of it is written; never one inside a dataset.',
  },
];

const ofRuns = (name: string): OptionSpec => resources.options.find((option) => option.name === name)!;

/** Said once for runs and queries, but for the time. */
export const queryResources: readonly OptionSpec[] = [
  { ...ofRuns('memory'), about: 'most that DuckDB\'s process may have resident' },
  ofRuns('jobs'),
  { name: 'timeout', kind: duration, about: 'end a query that takes longer: 30s, 5m', fallback: 'none', isCommon: true },
  { ...ofRuns('temp'), fallback: 'beside a Parquet file, else the system\'s' },
];
