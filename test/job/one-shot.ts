/**
 * The door without a state, a report, a limit of rejects and bounds of the value, for tests of something else: all inputs are read, the output is a
 * plain folder, and any number is a value. Options say otherwise.
 */
import { defaultColumns, validateOptions as validate, type JobOptions, type RunOptions } from '../../lib/core/options.ts';
import { run as runAny } from '../../lib/index.ts';

export const run: typeof runAny = (options, context) => runAny(lenient(options), context);

export function validateOptions(options: RunOptions): JobOptions {
  return validate(lenient(options));
}

function lenient(options: RunOptions): RunOptions {
  const value = options.columns?.value ?? defaultColumns.value;
  return { state: false, report: false, maxRejects: { share: 1 }, rules: [{ column: value, min: 'none', max: 'none' }], ...options };
}
