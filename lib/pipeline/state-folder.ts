/**
 * The folder of a state:
 *
 *   DIR/level/                      LevelDB: the head, the index of pages of ids, the ledger of inputs (state/)
 *   DIR/ids-<edition>-<part>.pages  pages of ids (dedup/id-files.ts)
 *   DIR/totals-<n>.run              totals of commit n: sorted, by (region, user) (spill/kept-runs.ts)
 *   DIR/rejects-<n>.jsonl           what commit n rejected
 *   DIR/owner.json                  who has it open
 *
 * Of files beside LevelDB those count that the head or the index names; others are left over.
 */
import { readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import { makeFolders, removeEmpty } from '../core/own-folder.ts';
import { idFileName, isIdFileName } from '../dedup/id-files.ts';
import type { PageIndex } from '../dedup/page-index.ts';
import { DATABASE_FOLDER } from '../state/open-state.ts';
import type { Committed } from './state-content.ts';

const OF_COMMIT = /^(totals-\d+\.run|rejects-\d+\.jsonl)$/;

/** Throws ETL_USAGE when the state would be replaced with the dataset, or stand in what is searched for it. */
export function assertStateOutside(output: string, state: string): void {
  const [dataset, folder] = [resolve(output), resolve(state)];
  if (`${folder}${sep}`.startsWith(`${dataset}${sep}`)) throw new EtlError('ETL_USAGE', `The state ${state} lies in the output folder ${output}.`);
  if (`${dataset}${sep}`.startsWith(`${folder}${sep}`)) throw new EtlError('ETL_USAGE', `The output folder ${output} lies in the state ${state}.`);
}

/** Makes it where there is none; gives the topmost folder that it made. Throws ETL_USAGE when it is a folder of something else, ETL_STATE_WRITE. */
export async function makeStateFolder(folder: string): Promise<string | undefined> {
  const made = await atWrite(folder, async () => makeFolders(folder));
  if (made === undefined) await assertStateFolder(folder);
  return made;
}

/** That a folder that is there is one of a state, or empty. Throws ETL_USAGE, ETL_STATE_WRITE. */
export async function assertStateFolder(folder: string): Promise<void> {
  const names = await atWrite(folder, () => readdir(folder));
  if (names.length > 0 && !names.includes(DATABASE_FOLDER)) {
    throw new EtlError('ETL_USAGE', `The folder for the state, ${folder}, has other things in it.`, {
      hint: 'Name one with --state that is empty or not there, or that of an earlier run.',
    });
  }
}

/** Removes a folder that this run made, if it did, and what it made above it as far as that is empty. */
export async function removeMade(folder: string, topmost: string | undefined): Promise<void> {
  if (topmost === undefined) return;
  await rm(folder, { recursive: true, force: true });
  await removeEmpty(dirname(folder), topmost);
}

/** Removes what no commit has, or only an earlier one. Throws ETL_STATE_WRITE. */
export async function removeLeftovers(folder: string, last: Committed | undefined, index: PageIndex): Promise<void> {
  const kept = new Set<string>(last ? [last.totals.file, ...last.rejects.map(({ file }) => file)] : []);
  for (const file of index.files()) kept.add(idFileName(file));
  await atWrite(folder, async () => {
    for (const name of await readdir(folder)) {
      if ((OF_COMMIT.test(name) || isIdFileName(name)) && !kept.has(name)) await rm(join(folder, name), { force: true });
    }
  });
}

/** Does what writes to a state. Throws what `work` does if it has a code, else ETL_STATE_WRITE. */
export async function atWrite<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('ETL_STATE_WRITE', `Writing the state ${folder} failed: ${messageOf(cause)}.`, { cause });
  }
}
