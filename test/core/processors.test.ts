import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { availableProcessors } from '../../lib/core/processors.ts';
import { tree } from './tree.ts';

const V1 = '40 28 0:35 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n';
const V2 = '30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n';

test('processors: the least quota of all groups, rounded up, and never more than there are', (context) => {
  const v2 = (own: string, above: string) => ({
    'proc/self/cgroup': '0::/slice/job\n', 'proc/self/mountinfo': V2,
    'sys/fs/cgroup/slice/job/cpu.max': own, 'sys/fs/cgroup/slice/cpu.max': above,
  });
  const v1 = (quota: string) => ({
    'proc/self/cgroup': '4:cpu,cpuacct:/job\n', 'proc/self/mountinfo': V1,
    'sys/fs/cgroup/cpu/job/cpu.cfs_quota_us': quota, 'sys/fs/cgroup/cpu/job/cpu.cfs_period_us': '100000\n', 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
  });
  for (const [files, expected] of [
    [{}, 8], [v2('200000 100000\n', 'max 100000\n'), 2], [v2('max 100000\n', '150000 100000\n'), 2], [v2('10000 100000\n', 'max\n'), 1],
    [v2('9900000 100000\n', 'max 100000\n'), 8], [v2('nonsense\n', '\n'), 8], [v1('300000\n'), 3], [v1('-1\n'), 8],
  ] as const) assert.equal(availableProcessors(tree(context, files), 8), expected, JSON.stringify(files));
});

test('processors of this machine', () => {
  assert.ok(availableProcessors() >= 1 && availableProcessors() <= availableParallelism());
});
