/** `etl-stream verify <output>`: what was verified goes to stdout, a line for each problem to stderr. */
import { count, size } from '../core/figures.ts';
import { letHeapGrow } from '../core/resident.ts';
import { verifyDataset, type Verification } from '../index.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit.ts';
import { tellFault, tellProblem } from './messages.ts';
import { printable, printableJson } from './printable.ts';

export interface VerifyFlags {
  readonly state?: string | false;
  readonly json?: boolean;
}

export async function verifyCommand([output = '']: readonly string[], { state, json }: VerifyFlags): Promise<number> {
  letHeapGrow();
  const verification = await verifyDataset({ output, state });
  const { problems, state: of } = verification;
  if (json) process.stdout.write(`${printableJson(verification)}\n`);
  for (const problem of problems) tellProblem(problem);
  if (of.is === 'locked') {
    const rest = problems.length === 0 ? `${whatIsGood(verification)}; but not the state` : 'The state was not verified';
    const hint = 'Verify again when that run has ended, or the dataset alone with --no-state.';
    tellFault(`${rest}: ${of.message}`, { code: 'ETL_STATE_LOCKED', hint });
  }
  if (problems.length > 0 || of.is === 'locked') return EXIT_FAILED;
  if (!json) process.stdout.write(`${printable(`${whatIsGood(verification)}; ${stateOf(of)}`)}\n`);
  return EXIT_DONE;
}

function whatIsGood({ dataset: { files, rows, logs, rejects, bytes } }: Verification): string {
  return `verified: ${count(files, 'file')}, ${size(bytes)}, ${count(rows, 'row')}, ${count(logs, 'log')}, ${count(rejects, 'reject')}`;
}

function stateOf(state: Verification['state']): string {
  if (state.is === 'verified') return `state: ${count(state.commits, 'commit')}, ${count(state.ids, 'id')}`;
  return state.is === 'elsewhere' ? `not its state, which is not at ${state.folder}: see --state` : 'no state';
}
