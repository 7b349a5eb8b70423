/** Which inputs a run has, and what is said when they cannot be its inputs. */
import { resolve, sep } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import { listInputs, type InputFile } from '../source/inputs.ts';
import { assertStateOutside } from './state-folder.ts';

/** In order, those that were counted before included. Throws ETL_INPUT_NOT_FOUND, ETL_INPUT_READ, ETL_USAGE. */
export async function inputsOf({ inputs: paths, output, temp, state, glob, encoding, dialect }: JobOptions): Promise<InputFile[]> {
  const inputs = await listInputs(paths, { glob, encoding, dialect });
  assertOutside(output, temp, inputs);
  if (state !== undefined) assertStateOutside(output, state);
  return inputs;
}

/** What to say when there is not a byte in any of them. */
export function allEmpty(inputs: readonly InputFile[]): EtlError {
  return new EtlError('ETL_HEADER', `${inputs.length === 1 ? `The input ${inputs[0]!.name} is` : 'All inputs are'} empty: not even a header.`, {
    hint: 'Look at what should have written it: logs of no rows have a header.',
  });
}

/** Nothing that is read, and no temporary file, may stand in the folder that is replaced as a whole. */
function assertOutside(output: string, temp: string | undefined, inputs: readonly InputFile[]): void {
  const inside = (path: string): boolean => `${resolve(path)}${sep}`.startsWith(`${resolve(output)}${sep}`);
  const input = inputs.find(({ path }) => path !== undefined && inside(path));
  if (input) throw new EtlError('ETL_USAGE', `The input ${input.name} lies in the output folder ${output}.`);
  if (temp !== undefined && inside(temp)) throw new EtlError('ETL_USAGE', `The folder for temporary files, ${temp}, lies in the output folder ${output}.`);
}
