/** Ids that are forgotten, and what compaction does: what counts again, what does not, what it says, and what is on the disk. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkState, compactState, describeState, forgetState, run, type RunOptions } from '../../lib/index.ts';
import { STATE_MARK } from '../../lib/dataset/state-mark.ts';
import { PageIndex, type NewPage } from '../../lib/dedup/page-index.ts';
import { pilesOf } from '../../lib/dedup/page-tiers.ts';
import { Retention } from '../../lib/pipeline/retention.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1, 12);

interface Place {
  readonly logs: string;
  readonly output: string;
  readonly options: RunOptions;
}

function placeIn(context: TestContext, more: Partial<RunOptions> = {}): Place {
  const folder = temporaryFolder(context);
  const [logs, output] = [join(folder, 'logs'), join(folder, 'out')];
  mkdirSync(logs);
  context.mock.timers.enable({ apis: ['Date'], now: START });
  return { logs, output, options: { inputs: [logs], output, ...more } };
}

/** A file with so many logs, whose ids begin with its name. */
function write({ logs }: Place, name: string, ids: number): void {
  writeFileSync(join(logs, name), HEADER + Array.from({ length: ids }, (_, i) => `${name}-${i},user${i % 9},t,${1 + (i % 200)}.8.8.8,1\n`).join(''));
}

async function assertGood({ output }: Place): Promise<void> {
  assert.deepEqual((await checkState({ output })).problems, []);
}

test('a window: ids of runs before it are forgotten by the next commit, and count again; totals and the ledger stay', async (context) => {
  const place = placeIn(context, { dedupWindow: 30 * DAY });
  for (const [day, name] of [[0, 'a'], [10, 'b'], [29, 'c']] as const) {
    context.mock.timers.setTime(START + day * DAY);
    write(place, `${name}.csv`, 100);
    const { state } = await run(place.options);
    assert.equal(state!.forgotten, 0);
  }
  context.mock.timers.setTime(START + 31 * DAY);
  const same = await run(place.options);
  assert.deepEqual([same.inputs, same.state!.forgotten], [0, 0], 'with nothing new, nothing is forgotten, and no input is read again');
  appendFileSync(join(place.logs, 'a.csv'), 'a.csv-new,user,t,8.8.8.8,1\n');
  appendFileSync(join(place.logs, 'b.csv'), 'b.csv-new,user,t,8.8.8.8,1\n');
  const { rows, state } = await run(place.options);
  assert.deepEqual(rows, { read: 202, duplicates: 100, rejected: 0, counted: 102 }, 'what was counted 31 days ago counts again, what was counted 21 days ago does not');
  assert.deepEqual([state!.forgotten, state!.logs], [100, 402]);
  const shown = await describeState(place);
  assert.deepEqual([shown.ids, shown.forgotten, shown.rows.counted], [302, 100, 402]);
  await assertGood(place);
  context.mock.timers.setTime(START + 100 * DAY);
  write(place, 'd.csv', 50);
  assert.equal((await run(place.options)).state!.forgotten, 302);
  await assertGood(place);
  assert.equal(readdirSync(shown.folder).filter((name) => name.endsWith('.pages')).length, 1, 'files of forgotten ids are gone');
});

test('a window of a run in parts: what its parts forgot is added up', async (context) => {
  const place = placeIn(context);
  write(place, 'a.csv', 100);
  await run(place.options);
  context.mock.timers.setTime(START + 2 * DAY);
  for (const name of ['b', 'c', 'd']) write(place, `${name}.csv`, 10);
  const { state, rows } = await run({ ...place.options, dedupWindow: DAY, checkpoint: 1 });
  assert.deepEqual([state!.forgotten, state!.commit, rows.counted], [100, 4, 30]);
  await assertGood(place);
});

test('pages are merged within an era: an id is forgotten after the window, and an eighth of it at most', async () => {
  const window = 16 * DAY;
  const next = random(1);
  const when: number[] = [];
  /** Pages by commit and slice: only their ages matter. */
  let index = PageIndex.empty;
  let [merged, lateness] = [0, 0];
  for (let commit = 1; commit <= 200; commit++) {
    when.push(START + (commit * DAY) / 4);
    const commits = { async *commits() { for (const time of when) yield { when: new Date(time).toISOString() }; } };
    const retention = await Retention.of(commits as never);
    const { entries } = retention.before(when.at(-1)! - window, index);
    for (const { entry, newest, oldest } of index.all()) {
      const ages = [oldest, newest].map((number) => when.at(-1)! - when[number - 1]!) as [number, number];
      assert.equal(entries.has(entry), ages[1] > window);
      if (!entries.has(entry)) lateness = Math.max(lateness, ages[0] - window);
    }
    const kept = index.with([], entries);
    const page = (slice: number, ids: number, oldest: number, newest: number): NewPage => ({ slice, part: 0, edition: commit, at: 0, bytes: 14 * ids, ids, seal: 0n, oldest, newest });
    const piles = pilesOf({ commit, addedBytes: 1e9, eraOf: retention.eraOf(window) }, (slice) => kept.of(slice));
    merged += piles.length;
    index = kept.with([
      ...Array.from({ length: 16 }, (_, i) => page(i * 64, 10 + Math.floor(next() * 40), commit, commit)),
      ...piles.map(({ slice, pages }) => page(slice, pages.reduce((sum, { ids }) => sum + ids, 0), Math.min(...pages.map(({ oldest }) => oldest)), Math.max(...pages.map(({ newest }) => newest)))),
    ], new Set(piles.flatMap(({ pages }) => pages.map(({ entry }) => entry))));
  }
  assert.ok(merged > 100, `${merged} piles`);
  assert.ok(lateness > 0 && lateness <= window / 8, `${lateness / DAY} days`);
});

test('forget --before: the same without a run; pages that have older and newer ids stay, and are told', async (context) => {
  const place = placeIn(context);
  for (let day = 0; day < 12; day++) {
    context.mock.timers.setTime(START + day * DAY);
    write(place, `${day}.csv`, 5000);
    await run(place.options);
  }
  const before = contents(place.output);
  assert.deepEqual(await forgetState({ ...place, before: new Date(START - 1) }), { folder: join(place.output, '..', '.out.state'), ids: 0, mixed: 0 });
  const all = await describeState(place);
  const { ids, mixed } = await forgetState({ ...place, before: new Date(START + 5 * DAY) });
  const left = await describeState(place);
  assert.ok(ids > 0 && ids < 25_000 && mixed > 0, `${ids} ${mixed}`);
  assert.deepEqual([left.ids, left.forgotten, left.commits.length, left.published], [all.ids - ids, ids, 12, 'last']);
  assert.deepEqual(contents(place.output), before, 'what is published stays');
  await assertGood(place);
  await assert.rejects(forgetState({ ...place, before: new Date(NaN) }), { code: 'ETL_USAGE' });
  assert.equal((await run(place.options)).inputs, 0);
  appendFileSync(join(place.logs, '0.csv'), 'one more,user,t,8.8.8.8,1\n');
  const { rows } = await run(place.options);
  assert.ok(rows.counted > 1 && rows.counted <= 5001 && rows.counted + rows.duplicates === 5001, 'ids that were forgotten count again');
  await assertGood(place);
});

test('compaction: fewer pages, no space that nothing needs, the same ids, and the same dataset', async (context) => {
  const place = placeIn(context);
  for (let n = 0; n < 14; n++) {
    write(place, `${n}.csv`, 3000);
    await run(place.options);
  }
  const published = contents(place.output);
  const { checked, folder } = await checkState(place);
  const { before, after } = await compactState(place);
  const compacted = await checkState(place);
  assert.deepEqual([compacted.problems, compacted.checked.ids], [[], checked.ids]);
  assert.ok(compacted.checked.pages <= 1024 && checked.pages > 5000, `${checked.pages} pages, then ${compacted.checked.pages}`);
  assert.ok(after < before, `${before} bytes, then ${after}`);
  const files = readdirSync(folder).filter((name) => name.endsWith('.pages'));
  const { commits, bytes } = await describeState(place);
  assert.deepEqual([files.length, commits.length], [1, 14]);
  assert.equal(files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0), bytes.ids);
  assert.deepEqual(contents(place.output), published);
  await compactState(place);
  assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith('.pages')), files, 'a second one has nothing to do');
  write(place, 'last.csv', 10);
  assert.deepEqual((await run(place.options)).rows.counted, 10);
  assert.ok(contents(place.output)[STATE_MARK]);
  await assertGood(place);
});
