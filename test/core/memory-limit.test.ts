import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { availableMemory, defaultMemory } from '../../lib/core/memory-limit.ts';
import { tree } from './tree.ts';

const V1 = '40 28 0:35 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n';
const V2 = '30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n';

describe('availableMemory', () => {
  const cases: { name: string; files: Record<string, string>; expected: number }[] = [
    { name: 'no control groups', files: {}, expected: 8e9 },
    {
      name: 'v2, own group',
      files: { 'proc/self/cgroup': '0::/job\n', 'proc/self/mountinfo': V2, 'sys/fs/cgroup/job/memory.max': '268435456\n' },
      expected: 268435456,
    },
    {
      name: 'v2, the limit is on a group above',
      files: {
        'proc/self/cgroup': '0::/slice/job\n', 'proc/self/mountinfo': V2,
        'sys/fs/cgroup/slice/job/memory.max': 'max\n', 'sys/fs/cgroup/slice/memory.max': '1000000000\n',
      },
      expected: 1e9,
    },
    {
      name: 'v2, memory.high is lower',
      files: {
        'proc/self/cgroup': '0::/job\n', 'proc/self/mountinfo': V2,
        'sys/fs/cgroup/job/memory.max': '500000000\n', 'sys/fs/cgroup/job/memory.high': '400000000\n',
      },
      expected: 4e8,
    },
    {
      name: 'v1',
      files: {
        'proc/self/cgroup': '9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/\n', 'proc/self/mountinfo': V1,
        'sys/fs/cgroup/memory/a/b/memory.limit_in_bytes': '300000000\n', 'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      },
      expected: 3e8,
    },
    {
      name: 'v1 in a container: the group of the host is not to be seen, the mount is the group',
      files: {
        'proc/self/cgroup': '4:memory:/docker/abc\n', 'proc/self/mountinfo': V1.replace(' / /sys', ' /docker/abc /sys'),
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '200000000\n',
      },
      expected: 2e8,
    },
    {
      name: 'v1 in a container of another name',
      files: {
        'proc/self/cgroup': '4:memory:/kubepods/pod1/c1\n', 'proc/self/mountinfo': V1,
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '150000000\n',
      },
      expected: 1.5e8,
    },
    {
      name: 'hybrid: the lower of both; a mount point with a blank',
      files: {
        'proc/self/cgroup': '4:memory:/a\n0::/b\n',
        'proc/self/mountinfo': V1.replace('/sys/fs/cgroup/memory', '/cg\\0401') + V2,
        'cg 1/a/memory.limit_in_bytes': '700000000\n', 'sys/fs/cgroup/b/memory.max': '600000000\n',
      },
      expected: 6e8,
    },
    {
      name: 'nonsense',
      files: { 'proc/self/cgroup': '\n::\nx\n0::\n', 'proc/self/mountinfo': `garbage\n- cgroup2\n${V2}`, 'sys/fs/cgroup/memory.max': 'what\n' },
      expected: 8e9,
    },
  ];
  for (const { name, files, expected } of cases) {
    test(name, (context) => assert.equal(availableMemory(tree(context, files), 8e9), expected));
  }

  test('here: some memory, and no more than the machine has', () => {
    const bytes = availableMemory();
    assert.ok(bytes > 64e6 && Number.isFinite(bytes), String(bytes));
    const constrained = process.constrainedMemory();
    if (constrained > 0) assert.ok(bytes <= constrained, `${bytes}, Node says ${constrained}`);
  });
});

test('defaultMemory: half, from 128 MB to 2 GB', () => {
  for (const [available, expected] of [[64e6, 128e6], [256e6, 128e6], [1e9, 5e8], [4e9, 2e9], [64e9, 2e9]] as const) {
    assert.equal(defaultMemory(available), expected);
  }
});
