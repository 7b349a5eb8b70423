/** What this process has before a run: part of the run's memory. */
import type { JobOptions } from '../core/options.ts';
import { collectGarbage, residentBytes } from '../core/resident.ts';
import type { JobBase } from './base.ts';
import { memoryLimit } from './decisions.ts';

/** Of its memory, how much a process may have before a run without garbage being collected, which takes from 20 to 100 ms. */
const LEFT_ALONE = 0.25;
/** Whether a run of this process may have left garbage. */
let ranBefore = false;

/** As it is now, without what earlier runs have left if that is much. */
export async function processBefore(options: JobOptions): Promise<JobBase['process']> {
  const warm = ranBefore;
  if (warm && residentBytes() > memoryLimit(options) * LEFT_ALONE) await collectGarbage();
  return { resident: residentBytes(), warm };
}

/** From now on there was a run. */
export function runBegins(): void {
  ranBefore = true;
}
