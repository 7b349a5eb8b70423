import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResultBatch } from '../../lib/core/stage.ts';
import { PAGE_BYTES } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createUsersTwin, type UsersKernel } from '../../lib/kernels/twins/users.ts';
import { USERS_PARTITIONS } from '../../lib/kernels/users-layout.ts';
import { DistinctUsers } from '../../lib/merge/distinct-users.ts';
import { random } from '../random.ts';

function batchOf(memory: LinearMemory, users: readonly string[]): ResultBatch {
  const bytes = Buffer.from(users.join(''));
  const offsetsAt = memory.slab((users.length + 1) * 4, 'test');
  const bytesAt = memory.slab(bytes.length, 'test');
  const userOffsets = new Int32Array(memory.memory.buffer, offsetsAt, users.length + 1);
  let end = 0;
  users.forEach((user, row) => (userOffsets[row + 1] = end += user.length));
  memory.bytes(bytesAt, bytes.length).set(bytes);
  return {
    region: 'US', rows: users.length, userOffsets, userBytes: memory.bytes(bytesAt, bytes.length),
    totals: new BigInt64Array(users.length), counts: new BigInt64Array(users.length), topRegions: undefined, release() {},
  };
}

for (const version of ['kernel', 'twin']) {
  // Names repeat within and across batches; the larger pools fill several pages of every partition.
  for (const [seed, pool, batches, rows] of [[1, 1, 3, 1], [2, 50, 10, 40], [3, 5000, 20, 400], [4, 300_000, 40, 5000]] as const) {
    test(`distinct users equal a Set's size: ${batches} x ${rows} of ${pool} names (${version})`, async () => {
      const memory = new LinearMemory();
      const kernel = version === 'twin' ? createUsersTwin(memory) : await loadKernel<UsersKernel>('users', memory);
      const users = new DistinctUsers({ memory, kernel, seed: BigInt(seed) });
      const next = random(seed);
      const model = new Set<string>();
      let most = 0;
      for (let batch = 0; batch < batches; batch++) {
        const names = Array.from({ length: rows }, () => `u${Math.floor(next() * pool)}`);
        users.add(batchOf(memory, names));
        for (const name of names) model.add(name);
        most = Math.max(most, memory.pagesInUse);
      }
      assert.ok(seed !== 4 || most >= USERS_PARTITIONS * 2, `${most} pages of ${PAGE_BYTES} bytes at most`);
      assert.equal(users.count(), model.size);
      assert.equal(memory.pagesInUse, 0, 'all pages went back');
    });
  }
}

test('nobody is nobody', async () => {
  const memory = new LinearMemory();
  assert.equal(new DistinctUsers({ memory, kernel: await loadKernel<UsersKernel>('users', memory), seed: 1n }).count(), 0);
});
