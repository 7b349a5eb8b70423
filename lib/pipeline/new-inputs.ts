/** Which inputs a run with a state reads: those that no commit has read as they are. */
import { fingerprintOf, sameFile, type Fingerprint } from '../source/fingerprint.ts';
import type { InputFile } from '../source/inputs.ts';
import type { State } from '../state/state.ts';

/**
 * In order, each with what will tell that it was read; a pipe has nothing that would. `ledger`: undefined when nothing of it counts.
 * Throws ETL_INPUT_READ, ETL_STATE_READ, ETL_STATE_DAMAGED.
 */
export async function newInputs(inputs: readonly InputFile[], ledger: Pick<State, 'input'> | undefined): Promise<Map<InputFile, Fingerprint | undefined>> {
  const fresh = new Map<InputFile, Fingerprint | undefined>();
  for (const input of inputs) {
    const fingerprint = input.size === undefined ? undefined : await fingerprintOf(input.path!);
    const known = fingerprint && await ledger?.input(fingerprint.path);
    if (known && sameFile(fingerprint!, { ...known, ends: known.fingerprint })) continue;
    fresh.set(input, fingerprint);
  }
  return fresh;
}
