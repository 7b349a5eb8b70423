/** A LevelDB read by its files alone has what LevelDB finds in it, and nothing in the folder changes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { thisOwner } from '../../lib/core/owner.ts';
import { openLevel, type Operation } from '../../lib/state/database.ts';
import { copyLevel } from '../../lib/state/level-copy.ts';
import { State } from '../../lib/state/state.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { treeOf } from '../tree.ts';
import { contentsOf, Series } from './model.ts';

async function everythingIn(values: AsyncIterable<[Uint8Array, Uint8Array]>): Promise<string[]> {
  const all: string[] = [];
  for await (const [key, value] of values) all.push(`${Buffer.from(key).toString('hex')} ${value.length} ${Buffer.from(value).toString('latin1')}`);
  return all;
}

for (const seed of [1, 2, 3]) {
  test(`writes of a log, of tables, compacted or not, seed ${seed}`, async (t) => {
    const folder = temporaryFolder(t);
    const next = random(seed);
    const below = (limit: number): number => Math.floor(next() * limit);
    let [tables, logs] = [0, 0];
    for (let round = 0; round < 6; round++) {
      const level = await openLevel(folder);
      for (let n = 0; n < 60; n++) {
        const operations = Array.from({ length: 1 + below(4) }, (): Operation => {
          const key = Uint8Array.from({ length: 1 + below(3) }, () => below(2) * 128 + below(4));
          if (below(3) === 0) return { type: 'del', key };
          return { type: 'put', key, value: new Uint8Array(below(8) === 0 ? 40_000 + below(60_000) : below(50)).fill(below(256)) };
        });
        await level.batch(operations, { sync: false });
      }
      if (below(3) === 0) await level.compactRange(Uint8Array.of(0), Uint8Array.of(255));
      const expected = await everythingIn(level.iterator({}));
      const part = { gt: Uint8Array.of(1), lt: Uint8Array.of(130, 2), limit: 7 };
      const expectedPart = await everythingIn(level.iterator(part));
      await level.close();

      const before = treeOf(folder);
      const copy = await copyLevel(folder);
      assert.deepEqual(await everythingIn(copy.iterator({})), expected);
      assert.deepEqual(await everythingIn(copy.iterator(part)), expectedPart);
      assert.deepEqual(treeOf(folder), before);
      tables += readdirSync(folder).filter((name) => name.endsWith('.ldb')).length;
      logs += readdirSync(folder).filter((name) => name.endsWith('.log')).length;
    }
    assert.ok(tables > 0 && logs > 0, `${tables} tables, ${logs} logs`);
  });
}

test('a copy of a state is that state, as often as it is written; what is torn off at the end of its log was none', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  const series = new Series({ seed: 7, indexBytes: 200_000 });
  for (let write = 0; write < 12; write++) {
    const state = await State.open(folder, { create: true });
    await series.write(state);
    await state.close();
    if (write === 9) {
      const log = readdirSync(join(folder, 'level')).find((name) => name.endsWith('.log'))!;
      appendFileSync(join(folder, 'level', log), Uint8Array.of(1, 2, 3, 4, 200, 0, 1, 9, 9));
    }
    const before = treeOf(folder);
    const copy = await State.open(folder, { copy: true });
    assert.deepEqual(await contentsOf(copy), series.contents);
    await copy.close();
    assert.deepEqual(treeOf(folder), before);
  }
});

test('of no state there is an empty copy, and still no folder', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  const copy = await State.open(folder, { create: true, copy: true });
  assert.equal(copy.head, undefined);
  await copy.close();
  assert.equal(existsSync(folder), false);
  await assert.rejects(State.open(folder, { copy: true }), { code: 'ETL_STATE_READ' });
});

test('a state that someone has open is not copied: this process, or another', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  const state = await State.open(folder, { create: true });
  await new Series({ seed: 1 }).write(state);
  await assert.rejects(State.open(folder, { copy: true }), { code: 'ETL_STATE_LOCKED' });
  await state.close();
  const other = spawn(process.execPath, ['-e', 'process.stdin.resume(); console.log()'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(other.stdout, 'data');
  writeFileSync(join(folder, 'owner.json'), JSON.stringify({ ...thisOwner(), pid: other.pid, started: null }));
  await assert.rejects(State.open(folder, { copy: true }), { code: 'ETL_STATE_LOCKED', message: new RegExp(`by process ${other.pid} `) });
  other.stdin.end();
  await once(other, 'exit');
  await (await State.open(folder, { copy: true })).close(); // it was killed, as it were
});
