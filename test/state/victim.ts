/**
 * A process that writes to a new state and compacts it, tells its parent at every point of every write, and waits there to be killed, or to
 * go on. Arguments: folder, seed, at which point to wait (the others are passed), how many writes.
 */
import { State } from '../../lib/state/state.ts';
import { hooked, type Call } from './faulty-database.ts';
import { Series } from './model.ts';

export interface Reached {
  readonly point: number;
  readonly phase: 'open' | 'before' | 'during' | 'after' | 'written';
  /** What is under way. */
  readonly call?: Call | undefined;
  /** Writes of the series that are said to be done. */
  readonly writes: number;
}

/** What the series of a victim is like: a write takes a while. */
export const VICTIM = { indexBytes: 3 << 20 };

if (process.send) {
  const [folder = '', seed = '', waitAt = '', last = ''] = process.argv.slice(2);
  let [point, writes] = [0, 0];
  const reach = async (phase: Reached['phase'], call?: Call): Promise<void> => {
    if (point++ !== Number(waitAt)) return;
    process.send!({ point: point - 1, phase, call, writes } satisfies Reached);
    await new Promise(() => setInterval(() => undefined, 1000));
  };
  const hook = (phase: Reached['phase']) => (call: Call): Promise<void> => reach(phase, call);
  const state = await State.open(folder, { create: true, openDatabase: hooked({ before: hook('before'), during: hook('during'), after: hook('after') }) });
  await reach('open');
  const series = new Series({ seed: Number(seed), ...VICTIM });
  while (writes < Number(last)) {
    await series.write(state);
    writes++;
    await reach('written');
  }
  await state.compact();
  await state.close();
  process.send({ point: -1, phase: 'written', writes } satisfies Reached);
  process.disconnect();
}
