/** How many threads of this process can run at once: as many processors as it may use, within the quota of its control groups. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { controlGroups, linesOf } from './control-groups.ts';

/** At least 1; a quota of 1.5 processors is 2. `root` stands for `/`, for tests. */
export function availableProcessors(root = '/', processors: number = availableParallelism()): number {
  let available = processors;
  for (const { folder, version } of controlGroups('cpu', root)) {
    const [quota, period] = version === 2
      ? (linesOf(join(folder, 'cpu.max'))[0] ?? '').split(' ').map(Number)
      : ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((file) => Number(linesOf(join(folder, file))[0]));
    if (quota! > 0 && period! > 0) available = Math.min(available, Math.ceil(quota! / period!)); // not `max`, not -1, not missing
  }
  return Math.max(available, 1);
}
