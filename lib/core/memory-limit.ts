/**
 * How much memory the process may have: the least of physical memory and the limits of its control groups (v1 and v2,
 * its own group and all above it; a hybrid system has both). Other systems than Linux: physical memory.
 * Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html, proc_pid_mountinfo(5)
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { DEFAULT_MEMORY_LEAST, DEFAULT_MEMORY_MOST } from './memory-budget.ts';

/** Bytes. `root` stands for `/`, for tests. */
export function availableMemory(root = '/', physical: number = totalmem()): number {
  return Math.min(physical, ...cgroupLimits(root));
}

/** What a run may have unless it is told: half of what there is, within bounds. */
export function defaultMemory(available: number): number {
  return Math.min(Math.max(Math.floor(available / 2), DEFAULT_MEMORY_LEAST), DEFAULT_MEMORY_MOST);
}

function* cgroupLimits(root: string): Generator<number> {
  const groups = lines(join(root, 'proc/self/cgroup')).map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  for (const line of lines(join(root, 'proc/self/mountinfo'))) {
    // 36 35 98:0 /root/of/mount /mount/point options optional... - type source super-options
    const [mount = '', filesystem = ''] = line.split(' - ');
    const [, , , top = '', point = ''] = mount.split(' ').map(unescaped);
    const [type, , superOptions = ''] = filesystem.split(' ');
    const second = type === 'cgroup2';
    if (!second && !(type === 'cgroup' && superOptions.split(',').includes('memory'))) continue;
    const group = groups.find((match) => (second ? match?.[1] === '' : match?.[1]!.split(',').includes('memory')))?.[2] ?? '/';
    // Inside a container the mount may show a part of the tree only, and the group lie outside of it.
    const below = top !== '/' && `${group}/`.startsWith(`${top}/`) ? group.slice(top.length) : group;
    for (let path = join('/', below); ; path = dirname(path)) {
      for (const file of second ? ['memory.max', 'memory.high'] : ['memory.limit_in_bytes']) {
        const bytes = Number(lines(join(root, point, path, file))[0]);
        if (bytes > 0) yield bytes; // not `max`, not missing
      }
      if (path === '/') break;
    }
  }
}

/** Lines of a file; none when it cannot be read. */
function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');
  } catch {
    return [];
  }
}

/** mountinfo writes blanks and backslashes as octal numbers. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
