/** Processes that are killed with a state open, or have it when another one wants it. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { State } from '../../lib/state/state.ts';
import { temporaryFolder } from '../temporary.ts';
import { contentsOf, Series } from './model.ts';
import { VICTIM, type Reached } from './victim.ts';

const SEED = Number(process.env.ETL_STATE_SEED ?? 1);
const COMMITS = 2;

async function victim(t: TestContext, folder: string, waitAt: number, commits = COMMITS): Promise<{ child: ChildProcess; reached: Reached }> {
  const args = [folder, SEED, waitAt, commits].map(String);
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

test(`killed at any point of any write: exactly the last commit is there, and the next one goes (seed ${SEED})`, async (t) => {
  const seen = new Set<string>();
  for (let point = 0; ; point++) {
    const folder = join(temporaryFolder(t), 'state');
    const { child, reached } = await victim(t, folder, point);
    if (reached.point < 0) {
      await once(child, 'exit');
      break;
    }
    await kill(child);
    assert.ok(existsSync(join(folder, 'owner.json')));
    const { phase, isHead, commits } = reached;
    seen.add(`${phase} ${isHead ? 'head' : 'pages'} ${commits}`);
    const options = { seed: SEED, ...VICTIM };
    // What was in the middle may be there or not, as a whole.
    const possible = phase === 'during' && isHead ? [commits, commits + 1] : [phase === 'after' && isHead ? commits + 1 : commits];
    const isMade = commits > 0 || possible[0]! > 0;
    const state = await State.open(folder, { create: true, atLeast: isMade ? commits : 0 });
    const made = state.head?.commit ?? 0;
    // The first head is that of the empty state.
    const expected = point < 3 ? [0] : possible;
    assert.ok(expected.includes(made), `point ${point} (${phase}): commit ${made}, not ${expected.join(' or ')}`);
    const series = Series.after(made, options);
    assert.deepEqual(await contentsOf(state), series.contents, `point ${point}`);
    assert.deepEqual(await state.check(), []);
    await series.commit(state);
    assert.deepEqual(await contentsOf(state), series.contents);
    await state.close();
  }
  for (const commits of [0, 1]) {
    for (const phase of ['before', 'during', 'after']) {
      for (const what of ['pages', 'head']) assert.ok(seen.has(`${phase} ${what} ${commits}`), `${phase} ${what} ${commits} was not reached`);
    }
  }
});

test('left-over pages are removed by who opens next, who may be killed at that', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  // 3 points of the empty head, `open`, 3 of the first batch of pages.
  await kill((await victim(t, folder, 6)).child);
  for (const point of [0, 1, 2]) {
    const { child, reached } = await victim(t, folder, point);
    assert.equal(reached.isHead, false, 'it clears');
    await kill(child);
  }
  const state = await State.open(folder);
  assert.equal(state.head, undefined);
  assert.deepEqual(await state.check(), []);
  await state.close();
});

test('another process has it: ETL_STATE_LOCKED names it, and it goes on; when it is killed the state is free', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  const { child, reached } = await victim(t, folder, 3);
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
  const { child } = await victim(t, folder, 3);
  const manifest = readdirSync(join(folder, 'level')).find((name) => name.startsWith('MANIFEST'))!;
  writeFileSync(join(folder, 'level', manifest), 'half of it');
  await assert.rejects(State.open(folder), { code: 'ETL_STATE_LOCKED', message: new RegExp(`by process ${child.pid} `) });
  await kill(child);
  await assert.rejects(State.open(folder), { code: 'ETL_STATE_DAMAGED' });
});
