/**
 * Where the files of this process's control groups are: its own group and all above it, v1 and v2 (a hybrid system has
 * both). Other systems than Linux have none.
 * Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1, proc_pid_mountinfo(5)
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface ControlGroup {
  readonly folder: string;
  readonly version: 1 | 2;
}

/** Groups that a controller of v1 (`memory`, `cpu`) or v2 may have limits in, innermost first. `root` stands for `/`, for tests. */
export function* controlGroups(controller: string, root = '/'): Generator<ControlGroup> {
  const groups = linesOf(join(root, 'proc/self/cgroup')).map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  for (const line of linesOf(join(root, 'proc/self/mountinfo'))) {
    // 36 35 98:0 /root/of/mount /mount/point options optional... - type source super-options
    const [mount = '', filesystem = ''] = line.split(' - ');
    const [, , , top = '', point = ''] = mount.split(' ').map(unescaped);
    const [type, , superOptions = ''] = filesystem.split(' ');
    const second = type === 'cgroup2';
    if (!second && !(type === 'cgroup' && superOptions.split(',').includes(controller))) continue;
    const group = groups.find((match) => (second ? match?.[1] === '' : match?.[1]!.split(',').includes(controller)))?.[2] ?? '/';
    // Inside a container the mount may show a part of the tree only, and the group lie outside of it.
    const below = top !== '/' && `${group}/`.startsWith(`${top}/`) ? group.slice(top.length) : group;
    for (let path = join('/', below); ; path = dirname(path)) {
      yield { folder: join(root, point, path), version: second ? 2 : 1 };
      if (path === '/') break;
    }
  }
}

/** Lines of a file; none when it cannot be read. */
export function linesOf(path: string): string[] {
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
