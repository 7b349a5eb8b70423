/** How much memory the process may have: the least of physical memory and the limits of its control groups. */
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { controlGroups, linesOf } from './control-groups.ts';
import { DEFAULT_MEMORY_LEAST, DEFAULT_MEMORY_MOST } from './memory-budget.ts';

export interface AvailableMemory {
  readonly bytes: number;
  readonly of: 'machine' | 'control group';
}

/** Bytes. `root` stands for `/`, for tests. */
export function availableMemory(root = '/', physical: number = totalmem()): number {
  return findAvailableMemory(root, physical).bytes;
}

/** And whose they are. */
export function findAvailableMemory(root = '/', physical: number = totalmem()): AvailableMemory {
  let available = physical;
  for (const { folder, version } of controlGroups('memory', root)) {
    for (const file of version === 2 ? ['memory.max', 'memory.high'] : ['memory.limit_in_bytes']) {
      const bytes = Number(linesOf(join(folder, file))[0]);
      if (bytes > 0) available = Math.min(available, bytes); // not `max`, not missing
    }
  }
  return { bytes: available, of: available < physical ? 'control group' : 'machine' };
}

/** What a run may have unless it is told: half of what there is, within bounds. */
export function defaultMemory(available: number): number {
  return Math.min(Math.max(Math.floor(available / 2), DEFAULT_MEMORY_LEAST), DEFAULT_MEMORY_MOST);
}
