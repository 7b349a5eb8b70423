/**
 * A process that commits to a state, tells its parent at every point of every write, and waits there to be killed, or to
 * go on. Arguments: folder, seed, at which point to wait (the others are passed), how many commits.
 */
import { State } from '../../lib/state/state.ts';
import { hooked } from './faulty-database.ts';
import { Series } from './model.ts';

export interface Reached {
  readonly point: number;
  readonly phase: 'open' | 'before' | 'during' | 'after' | 'committed';
  /** Whether the write has the head of a commit. */
  readonly isHead: boolean;
  /** Commits that `commit` has told of. */
  readonly commits: number;
}

/** What the series of a victim is like: several batches of pages a commit. */
export const VICTIM = { pagesPerCommit: 9, pageBytes: 1 << 20 };

if (process.send) {
  const [folder = '', seed = '', waitAt = '', commits = ''] = process.argv.slice(2);
  let [point, made] = [0, 0];
  const reach = async (phase: Reached['phase'], isHead: boolean): Promise<void> => {
    if (point++ !== Number(waitAt)) return;
    process.send!({ point: point - 1, phase, isHead, commits: made } satisfies Reached);
    await new Promise(() => setInterval(() => undefined, 1000));
  };
  const hook = (phase: Reached['phase']) => (_: unknown, operations: readonly { key: Uint8Array }[]): Promise<void> =>
    reach(phase, operations.some(({ key }) => Buffer.from(key).toString() === 'head'));
  const state = await State.open(folder, { create: true, openDatabase: hooked({ before: hook('before'), during: hook('during'), after: hook('after') }) });
  await reach('open', false);
  made = state.head?.commit ?? 0;
  const series = Series.after(made, { seed: Number(seed), ...VICTIM });
  while (made < Number(commits)) {
    await series.commit(state);
    made++;
    await reach('committed', false);
  }
  await state.close();
  process.send({ point: -1, phase: 'committed', isHead: false, commits: made } satisfies Reached);
  process.disconnect();
}
