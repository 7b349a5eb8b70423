import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResultBatch } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createUsersTwin, type UsersKernel } from '../../lib/kernels/twins/users.ts';
import { DistinctUsers } from '../../lib/merge/distinct-users.ts';
import { random } from '../random.ts';

function batchOf(memory: LinearMemory, users: readonly Buffer[]): ResultBatch {
  const bytes = Buffer.concat(users);
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
  test(`distinct users equal a Set's size, from an empty table through many growths (${version})`, async () => {
    for (const seed of [1, 2, 3]) {
      const memory = new LinearMemory();
      const kernel = version === 'twin' ? createUsersTwin(memory) : await loadKernel<UsersKernel>('users', memory);
      const users = new DistinctUsers({ memory, kernel, seed: BigInt(seed), expected: 0 });
      const next = random(seed);
      const model = new Set<string>();
      for (let batch = 0; batch < 60; batch++) {
        const names = Array.from({ length: Math.floor(next() * 200) }, () => Buffer.alloc(1 + Math.floor(next() * 100), Math.floor(next() * 256)));
        users.add(batchOf(memory, names));
        for (const name of names) model.add(name.toString('latin1'));
        assert.equal(users.count, model.size, `seed ${seed}, batch ${batch}`);
      }
      assert.ok(model.size > 4096, 'the table grew');
    }
  });
}
