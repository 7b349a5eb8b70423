/** What runs tell, made up. */
import { newCounters, type Figures } from '../../../lib/core/counters.ts';
import type { Progress } from '../../../lib/index.ts';

export interface Told extends Partial<Omit<Progress, 'counters'>> {
  readonly counters?: Partial<Figures>;
}

/** After 83 seconds, unless it is said otherwise, of a run that may have 2 GB. */
export function told({ counters, ...more }: Told = {}): Progress {
  return { phase: 'scatter', seconds: 83, totalBytes: undefined, memory: { limit: 2e9, resident: 412e6 }, ...more, counters: { ...newCounters(), ...counters } };
}
