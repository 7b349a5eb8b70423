/** Where a run with a state would begin, found out without a trace: the state is read from its files, into memory. */
import { resolve } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import type { Resources } from '../core/resources.ts';
import { standsAt } from '../dataset/staging.ts';
import { isThere } from '../dataset/versions.ts';
import { PageIndex } from '../dedup/page-index.ts';
import { State } from '../state/state.ts';
import { markAt, standingOf, type Standing } from './agreement.ts';
import type { KnownIds } from './decisions.ts';
import { Retention } from './retention.ts';
import { knownTo } from './run-ids.ts';
import { indexOf } from './state-content.ts';
import { assertStateFolder } from './state-folder.ts';

export interface Ground extends Standing, KnownIds {
  readonly folder: string;
  readonly isThere: boolean;
  /** The last commit's number; 0: there is none. */
  readonly commit: number;
  readonly forgets: number;
  /** undefined: nothing of it counts. */
  readonly ledger: State | undefined;
}

/** As a run would find it, in its first part. Throws as Continuation.open does. */
export async function findGround(options: JobOptions & { readonly state: string }, resources: Resources): Promise<Ground> {
  const folder = resolve(options.state);
  const isState = await isThere(folder);
  if (isState) await assertStateFolder(folder);
  const at = await standsAt(options.output);
  const mark = await markAt(at, options);
  const opened = await openCopy(folder, options.overwrite, resources);
  const head = opened?.state.head;
  const standing = standingOf({ options, folder, head, mark, outputExists: await isThere(at) }, true);
  const { isAfresh } = standing;
  const window = options.dedupWindow;
  const retention = !opened || window === undefined ? undefined : await Retention.of(opened.state);
  const { index, forgets } = knownTo({ index: opened?.index ?? PageIndex.empty, isAfresh, window, retention });
  return {
    ...standing, folder, isThere: isState, commit: head?.commit ?? 0, ids: index.ids, indexBytes: index.encoded.length, forgets,
    ledger: isAfresh ? undefined : opened?.state,
  };
}

/** undefined: it is damaged, and a run that begins afresh would make another in its place. */
async function openCopy(folder: string, anew: boolean, resources: Resources): Promise<{ state: State; index: PageIndex } | undefined> {
  try {
    const state = await State.open(folder, { create: true, copy: true });
    resources.add(() => state.close());
    return { state, index: indexOf(state) };
  } catch (error) {
    if (anew && error instanceof EtlError && error.code === 'ETL_STATE_DAMAGED') return undefined;
    throw error;
  }
}
