/**
 * A run that adds to a dataset is killed, at every call by which it touches the disk, and at any time; then it is run again. What
 * stands there between is the whole old or the whole new dataset; what stands there at the end is, byte for byte, what a
 * run makes that nobody interrupts. `npm run test:crash` tries every call; here some of them are drawn.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { idFileName } from '../../lib/dedup/id-files.ts';
import { PageIndex } from '../../lib/dedup/page-index.ts';
import { State } from '../../lib/state/state.ts';
import { OWNER_MARK } from '../../lib/core/owner.ts';
import { fewRegions } from '../geo/few-regions.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { answer, placeIn, reportsIn, restore, run, save, start, writeLog, type Place } from './harness.ts';

/** Cases of each test; 0: all there are. */
const CASES = Number(process.env.ETL_CRASH_CASES ?? 2);
const SEED = Number(process.env.ETL_CRASH_SEED ?? 1);

interface Scene {
  readonly place: Place;
  readonly aside: string;
  /** Options of the runs. */
  readonly more: readonly string[];
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
  /** Calls of a run that is not interrupted, by their names. */
  readonly calls: readonly string[];
  readonly seconds: number;
}

/** A dataset of two logs, and more that the run is to add; or of ten, a commit each, of so many ids that pages of them pile up. */
async function setUp(context: TestContext, added = ['c.csv'], options: readonly string[] = [], piled = false): Promise<Scene> {
  const folder = temporaryFolder(context);
  const place = placeIn(join(folder, 'place'));
  const aside = join(folder, 'aside');
  const log = join(folder, 'calls');
  // Four regions: of the calls that touch the disk, fewer do the same.
  const geoDb = join(folder, 'geo.mmdb');
  writeFileSync(geoDb, fewRegions(2));
  const more = [...options, '--geo-db', geoDb];
  mkdirSync(place.folder);
  if (piled) {
    for (let n = 0; n < 10; n++) writeLog(place, `a${n}.csv`, 4000, 10 + 5 * n);
    await run(place, ['--checkpoint', '1', ...more]);
  } else {
    writeLog(place, 'a.csv', 300, 1);
    writeLog(place, 'b.csv', 300, 2);
    await run(place, more);
  }
  const before = answer(place);
  for (const [i, name] of added.entries()) writeLog(place, name, 300, 3 + i);
  save(place, aside);
  const started = performance.now();
  const ended = await start(place, { INTERRUPT_BELOW: place.folder, INTERRUPT_AT: '0', INTERRUPT_LOG: log }, more).ended;
  assert.equal(ended.code, 0, ended.stderr);
  const scene = { place, aside, more, before, after: answer(place), calls: readFileSync(log, 'utf8').trim().split('\n'), seconds: (performance.now() - started) / 1000 };
  assert.notDeepEqual(scene.before, scene.after);
  assert.ok(scene.calls.length > 300 && scene.calls.some((call) => call.includes('level.batch')), 'the calls are seen');
  return scene;
}

/** So many of the numbers 1 to `most`, at least one of every stretch; all of them when CASES is 0. */
function draw(most: number, next: () => number): number[] {
  if (CASES === 0 || CASES >= most) return Array.from({ length: most }, (_, i) => i + 1);
  return Array.from({ length: CASES }, (_, i) => 1 + Math.floor(((i + next()) / CASES) * most));
}

/** The dataset is the old or the new one; gives which. */
function whole({ place, before, after: fresh }: Scene, what: string): 'old' | 'new' {
  const version = realpathSync(place.output);
  const now = answer(place, version);
  const isOld = now[join('_etl', 'dataset.json')] === before[join('_etl', 'dataset.json')];
  // What a killed run committed is published without a report of it.
  assert.ok([1, isOld ? 1 : 2].includes(reportsIn(version)), what);
  assert.deepEqual(now, isOld ? before : fresh, what);
  return isOld ? 'old' : 'new';
}

/** Runs once more; then all is as if nothing had happened. */
async function assertMended(scene: Scene, what: string): Promise<void> {
  const { place } = scene;
  const { stdout } = await run(place, scene.more);
  assert.deepEqual(answer(place), scene.after, what);
  assert.ok([1, 2].includes(reportsIn(realpathSync(place.output))), what);
  // A folder that was made and not yet marked, or not with the whole mark, stays for a day.
  const isMarked = (folder: string): boolean => readdirSync(folder).some((name) => name !== OWNER_MARK || statSync(join(folder, name)).size > 0);
  const filled = (folder: string): string[] => readdirSync(folder).filter((name) => !/staging|temp/.test(name) || isMarked(join(folder, name)));
  assert.deepEqual(filled(place.folder).sort(), ['.out.versions', 'logs', 'out', 'state'], what);
  assert.ok(filled(join(place.folder, '.out.versions')).length <= 2, what);
  const { state } = JSON.parse(stdout) as { state: { commit: number; logs: number } };
  const rejects = Array.from({ length: state.commit }, (_, i) => `rejects-${i + 1}.jsonl`);
  const files = new Set(Array.from((await indexOf(place)).all(), idFileName));
  assert.deepEqual(readdirSync(place.state).sort(), ['level', ...files, ...rejects, `totals-${state.commit}.run`].sort(), what);
}

/** Kills a run at a call, looks at what is left, which it gives, and runs once more. */
async function killAt(scene: Scene, at: number): Promise<'old' | 'new'> {
  const what = `killed at call ${scene.calls[at - 1]}`;
  restore(scene.place, scene.aside);
  const { signal } = await start(scene.place, { INTERRUPT_BELOW: scene.place.folder, INTERRUPT_AT: String(at) }, scene.more).ended;
  assert.equal(signal, 'SIGKILL', what);
  const left = whole(scene, what);
  await assertMended(scene, what);
  return left;
}

test('killed at a call, a run leaves the old or the new dataset, and the next one the new', async (context) => {
  const scene = await setUp(context);
  const seen = { old: 0, new: 0 };
  for (const at of draw(scene.calls.length, random(SEED))) {
    seen[await killAt(scene, at)]++;
  }
  assert.ok(seen.old > 0, 'some were killed before the commit');
});

test('killed at the calls around the commit and the publication', async (context) => {
  const scene = await setUp(context);
  const commit = scene.calls.findLastIndex((call) => call.includes('level.batch done')) + 1;
  const seen = { old: 0, new: 0 };
  for (let at = commit - 3; at <= scene.calls.length; at += CASES === 0 ? 1 : 5) {
    seen[await killAt(scene, at)]++;
  }
  assert.ok(seen.old > 0 && seen.new > 0, JSON.stringify(seen));
});

/** Reads the dataset again and again while others change it: each time it is the old or the new one, whole. */
async function poll(scene: Scene, ended: Promise<unknown>, what: string): Promise<number> {
  let over = false;
  void ended.then(() => (over = true));
  let reads = 0;
  for (; !over; reads++) {
    whole(scene, `${what}, read ${reads}`);
    await new Promise(setImmediate);
  }
  return reads;
}

for (const [how, added, options] of [['at once', ['c.csv'], []], ['in parts', ['c.csv', 'd.csv'], ['--checkpoint', '1']]] as const) {
  test(`killed at any time, twice, while it adds ${how}, and read all the time`, async (context) => {
    const scene = await setUp(context, [...added], options);
    const next = random(SEED + 1);
    let reads = 0;
    for (let round = 0; round < (CASES || 600) / 4; round++) {
      restore(scene.place, scene.aside);
      const delays: number[] = [];
      for (let time = 0; time < 2; time++) {
        delays.push(Math.floor(next() * scene.seconds * 1000));
        const { child, ended } = start(scene.place, {}, scene.more);
        const reading = poll(scene, ended, `killed after ${delays.join(' and ')} ms`);
        reading.catch(() => undefined); // awaited when the run has ended
        await Promise.race([after(delays.at(-1)), ended]); // where it is then does not matter
        child.kill('SIGKILL');
        await ended;
        reads += await reading;
      }
      await assertMended(scene, `killed after ${delays.join(' and ')} ms`);
    }
    restore(scene.place, scene.aside);
    const { ended } = start(scene.place, {}, scene.more);
    reads += await poll(scene, ended, 'not killed');
    assert.equal(whole(scene, 'not killed'), 'new');
    assert.ok(reads > 20, `${reads} reads`);
  });
}

test('a run in parts is killed at a call', async (context) => {
  const scene = await setUp(context, ['c.csv', 'd.csv', 'e.csv'], ['--checkpoint', '1']);
  for (const at of draw(scene.calls.length, random(SEED + 3))) {
    await killAt(scene, at);
  }
});

/** Which pages of ids the place's state has. */
async function indexOf({ state: folder }: Place): Promise<PageIndex> {
  const state = await State.open(folder);
  await state.close();
  return PageIndex.decode(state.index)!;
}

test('killed while it commits merged pages of ids, a run has counted each id once', async (context) => {
  const scene = await setUp(context, ['c.csv'], [], true);
  const { place, calls } = scene;
  const merged = (await indexOf(place)).pages;
  restore(place, scene.aside);
  assert.ok((await indexOf(place)).pages > merged + 300, 'pages are merged');
  const around = draw(calls.length, random(SEED + 4)).filter((at) => /ids-|level/.test(calls[at - 1]!));
  for (const at of new Set([...around, ...calls.flatMap((call, i) => (call.includes('level.batch') ? [i + 1] : []))])) {
    const what = `killed at call ${calls[at - 1]}`;
    restore(place, scene.aside);
    const { signal } = await start(place, { INTERRUPT_BELOW: place.folder, INTERRUPT_AT: String(at) }, scene.more).ended;
    assert.equal(signal, 'SIGKILL', what);
    whole(scene, what);
    await assertMended(scene, what);
    assert.equal((await indexOf(place)).pages, merged, what);
  }
  cpSync(join(place.logs, 'c.csv'), join(place.logs, 'd.csv'));
  for (let n = 0; n < 10; n++) cpSync(join(place.logs, `a${n}.csv`), join(place.logs, `e${n}.csv`));
  assert.equal((JSON.parse((await run(place, scene.more)).stdout) as { rows: { counted: number } }).rows.counted, 0);
});

test('a call that fails is an error, and the next run makes up for it', async (context) => {
  const scene = await setUp(context);
  const next = random(SEED + 2);
  const codes = ['EIO', 'ENOSPC', 'EMFILE'];
  let failed = 0;
  for (const at of draw(scene.calls.length, next)) {
    const code = codes[at % codes.length]!;
    const what = `${code} at call ${scene.calls[at - 1]}`;
    restore(scene.place, scene.aside);
    const ended = await start(scene.place, { INTERRUPT_BELOW: scene.place.folder, INTERRUPT_AT: String(at), INTERRUPT_BY: code }, scene.more).ended;
    const which = whole(scene, `${what}: ${ended.stderr}`);
    if (ended.code === 0) {
      assert.equal(which, 'new', `${what} was no failure`); // of what is removed at the end, say
    } else {
      failed++;
      assert.equal(ended.code, 1, `${what}: ${ended.stderr}`);
      assert.match(ended.stderr, /^etl-stream: .*\[ETL_(?!INTERNAL)[A-Z_]+\]$/m, what);
      assert.doesNotMatch(ended.stderr, /a bug in etl-stream/, what);
    }
    await assertMended(scene, what);
  }
  assert.ok(failed > 0);
});
