/** Processes that are killed with a state open, or have it when another one wants it. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { State } from '../../lib/state/state.ts';
import { temporaryFolder } from '../temporary.ts';
import { contentsOf, KINDS, Series } from './model.ts';
import { VICTIM, type Reached } from './victim.ts';

const SEED = Number(process.env.ETL_STATE_SEED ?? 1);
const WRITES = KINDS.length;
/** The point of a victim at which its state is open: before it are those of the first head. */
const OPEN = 3;

async function victim(t: TestContext, folder: string, waitAt: number): Promise<{ child: ChildProcess; reached: Reached }> {
  const args = [folder, SEED, waitAt, WRITES].map(String);
  const child = fork(fileURLToPath(new URL('victim.ts', import.meta.url)), args, { execArgv: ['--import', 'tsx'], stdio: 'inherit' });
  t.after(() => child.kill('SIGKILL'));
  const reached = await Promise.race([
    once(child, 'message').then(([message]) => message as Reached),
    once(child, 'exit').then(([code, signal]) => assert.fail(`the victim ended by itself: ${code ?? signal}`)),
  ]);
  return { child, reached };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test(`killed at any point of any write: exactly the last write is there, and the next one goes (seed ${SEED})`, async (t) => {
  const seen = new Set<string>();
  const options = { seed: SEED, ...VICTIM };
  let torn = 0;
  for (let point = 0; ; point++) {
    const folder = join(temporaryFolder(t), 'state');
    const { child, reached } = await victim(t, folder, point);
    if (reached.point < 0) {
      await once(child, 'exit');
      break;
    }
    await kill(child);
    assert.ok(existsSync(join(folder, 'owner.json')));
    const { phase, call, writes } = reached;
    const isFirst = point < OPEN; // that of an empty state's head
    const isBatch = call === 'batch' && !isFirst;
    seen.add(`${phase} ${isFirst ? 'the first' : isBatch ? KINDS[writes] : call}`);
    if (point === 0) await assert.rejects(State.open(folder), { code: 'ETL_STATE_READ', message: /There is no state/ });
    // What was in the middle may be there or not, as a whole.
    const possible = isBatch && phase === 'during' ? [writes, writes + 1] : [isBatch && phase === 'after' ? writes + 1 : writes];
    const state = await State.open(folder, { create: isFirst });
    const found = await contentsOf(state);
    const made = possible.find((n) => isDeepStrictEqual(found, Series.after(n, options).contents));
    assert.ok(made !== undefined, `point ${point} (${phase}): commit ${found.head?.commit}, not of write ${possible.join(' or ')}`);
    if (possible.length > 1 && made === writes) torn++;
    assert.deepEqual(await state.check(), []);
    const series = Series.after(made, options);
    await series.write(state);
    assert.deepEqual(await contentsOf(state), series.contents);
    assert.deepEqual(await state.check(), []);
    await state.close();
  }
  t.diagnostic(`${torn} of ${WRITES} writes were lost when it was killed in the middle`);
  for (const phase of ['before', 'during', 'after']) {
    for (const what of ['the first', ...KINDS, 'compactRange']) assert.ok(seen.has(`${phase} ${what}`), `${phase} ${what} was not reached`);
  }
});

test('killed while it was made: who opens it next makes it, and may be killed at that', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  for (const point of [0, 0, 1]) {
    const { child, reached } = await victim(t, folder, point);
    assert.deepEqual([reached.call, reached.writes], ['batch', 0]);
    await kill(child);
  }
  const state = await State.open(folder, { create: true });
  assert.equal(state.head, undefined);
  assert.deepEqual(await state.check(), []);
  await state.close();
});

test('another process has it: ETL_STATE_LOCKED names it, and it goes on; when it is killed the state is free', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  const { child, reached } = await victim(t, folder, OPEN);
  assert.equal(reached.phase, 'open');
  for (let again = 0; again < 2; again++) {
    await assert.rejects(State.open(folder), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ETL_STATE_LOCKED');
      assert.match(error.message, new RegExp(`^The state .* is in use by process ${child.pid} on .+ since \\d{4}-.*Z\\.$`));
      return true;
    });
  }
  await kill(child);
  const state = await State.open(folder);
  // A failed attempt in the process that has it must not let go of the lock.
  await assert.rejects(State.open(folder), { code: 'ETL_STATE_LOCKED' });
  const other = fork(fileURLToPath(new URL('victim.ts', import.meta.url)), [folder, '1', '-1', '0'], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let text = '';
  other.stderr!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [code] = await once(other, 'close') as [number];
  assert.notEqual(code, 0);
  assert.match(text, new RegExp(`ETL_STATE_LOCKED|in use by process ${process.pid} `));
  await state.close();
});

test('what another process is writing looks damaged: it is locked; what is damaged and nobody has is damaged', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  const { child } = await victim(t, folder, OPEN);
  const manifest = readdirSync(join(folder, 'level')).find((name) => name.startsWith('MANIFEST'))!;
  writeFileSync(join(folder, 'level', manifest), 'half of it');
  await assert.rejects(State.open(folder), { code: 'ETL_STATE_LOCKED', message: new RegExp(`by process ${child.pid} `) });
  await kill(child);
  await assert.rejects(State.open(folder), { code: 'ETL_STATE_DAMAGED' });
});
