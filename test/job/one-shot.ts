/** The door without a state, for tests of something else: all inputs are read, the output is a plain folder. `state` says otherwise. */
import { validateOptions as validate, type JobOptions, type RunOptions } from '../../lib/core/options.ts';
import { run as runAny } from '../../lib/index.ts';

export const run: typeof runAny = (options, context) => runAny({ state: false, ...options }, context);

export function validateOptions(options: RunOptions): JobOptions {
  return validate({ state: false, ...options });
}
