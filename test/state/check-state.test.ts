/** What describeState and checkState say of a state and its dataset, good ones and damaged ones; and what they leave as it is. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkState, compactState, describeState, run, type RunOptions } from '../../lib/index.ts';
import { defaultState } from '../../lib/core/options.ts';
import { openLevel } from '../../lib/state/database.ts';
import { idFileName, PART_BITS } from '../../lib/dedup/id-files.ts';
import { IdStore } from '../../lib/dedup/id-store.ts';
import { PageIndex } from '../../lib/dedup/page-index.ts';
import { State } from '../../lib/state/state.ts';
import { contents } from '../job/contents.ts';
import { placeIn, writeLog, type Place } from '../crash/harness.ts';
import { hyparquetContents, hyparquetLines } from '../parquet/readers.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { all } from './model.ts';

const SEED = Number(process.env.ETL_STATE_SEED ?? 1);
const CASES = Number(process.env.ETL_STATE_CASES ?? 15);

/** A dataset of two commits; `aside` has that of the first. */
async function twoCommits(context: TestContext, options: Partial<RunOptions> = {}): Promise<Place & { aside: string }> {
  const folder = temporaryFolder(context);
  const place = { ...placeIn(folder), state: defaultState(join(folder, 'out')), aside: join(folder, 'aside') };
  writeLog(place, 'a.csv', 900, SEED);
  const job = { ...options, inputs: [place.logs], output: place.output, state: place.state };
  await run(job);
  cpSync(place.output, place.aside, { recursive: true, dereference: true });
  writeLog(place, 'b.csv', 700, SEED + 1);
  await run(job);
  return place;
}

async function problemsOf(place: Place): Promise<readonly string[]> {
  return (await checkState(place)).problems;
}

/** Changes a file, looks what is found, and puts it back. */
async function changed(place: Place, path: string, change: (bytes: Buffer) => Buffer): Promise<readonly string[]> {
  const bytes = readFileSync(path);
  writeFileSync(path, change(Buffer.from(bytes)));
  try {
    return await problemsOf(place);
  } finally {
    writeFileSync(path, bytes);
  }
}

const flipped = (bit: number) => (bytes: Buffer): Buffer => {
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return bytes;
};

function parquetFiles(place: Place): string[] {
  return readdirSync(place.output, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet')).map((name) => join(place.output, name)).sort();
}

for (const options of [{}, { groupBy: 'user', compression: 'gzip' }, { compression: 'snappy', valueScale: 2 }, { compression: 'none', parquetEncoding: 'plain' }] as const) {
  test(`nothing is wrong with what runs left, and nothing is changed: ${JSON.stringify(options)}`, async (t) => {
    const place = await twoCommits(t, options);
    const withoutLevel = (): Record<string, string> =>
      Object.fromEntries(Object.entries(contents(place.folder)).filter(([path]) => !path.startsWith(join('.out.state', 'level'))));
    const database = async (): Promise<string[][]> => {
      const level = await openLevel(join(place.state, 'level'));
      const entries = await all(level.iterator({}));
      await level.close();
      return entries.map((entry) => entry.map((bytes) => Buffer.from(bytes).toString('base64')));
    };
    const before = { files: withoutLevel(), entries: await database() };
    const { problems, checked } = await checkState({ output: place.output });
    assert.deepEqual(problems, []);
    const { ids, rows, commits, inputs, published } = await describeState({ output: place.output });
    assert.deepEqual([commits.length, inputs.length, published], [2, 2, 'last']);
    assert.deepEqual([checked.commits, checked.ids, rows.counted], [2, ids, ids]);
    assert.equal(checked.dataset.files, parquetFiles(place).length);
    assert.ok(checked.totals >= checked.dataset.rows && checked.dataset.rows > 20 && checked.pages > 100);
    assert.deepEqual({ files: withoutLevel(), entries: await database() }, before);
  });
}

test('nothing is wrong after a run that began afresh, and what it made room for is given back', async (t) => {
  const place = await twoCommits(t);
  await run({ inputs: [join(place.logs, 'b.csv')], output: place.output, state: place.state, overwrite: true });
  await compactState(place);
  assert.deepEqual(await problemsOf(place), []);
  const { commits, inputs, ids } = await describeState(place);
  assert.deepEqual([commits.length, inputs.length, ids], [3, 1, commits[2]!.rows.counted]);
});

test(`a bit of the totals (seed ${SEED})`, async (t) => {
  const place = await twoCommits(t);
  const path = join(place.state, 'totals-2.run');
  const bytes = readFileSync(path).length;
  const next = random(SEED);
  for (let n = 0; n < CASES / 2; n++) {
    const bit = Math.floor(next() * 8 * bytes);
    const problems = await changed(place, path, flipped(bit));
    assert.equal(problems.length, 1, `bit ${bit}: ${problems.join('\n')}`);
    assert.match(problems[0]!, /^The totals in .*totals-2\.run are damaged at byte \d+/);
  }
  const cut = await changed(place, path, (whole) => whole.subarray(0, -1));
  assert.match(cut[0]!, /totals-2\.run are damaged/);
  rmSync(path);
  assert.match((await problemsOf(place))[0]!, /Could not read .*totals-2\.run/);
});

test(`a bit of a Parquet file: it is found, or no row depends on it (seed ${SEED})`, async (t) => {
  for (const options of [{ compression: 'none' }, { groupBy: 'user' }] as const) {
    const place = await twoCommits(t, options);
    const next = random(SEED + 1);
    const files = parquetFiles(place);
    // All but the page indices and the footer, of which a query that reads all rows needs little: mostly statistics.
    const pages = new Map<string, number>();
    for (const file of files) {
      const { metadata } = await hyparquetContents(file);
      const { column_index_offset: end } = metadata.row_groups[0]!.columns[0]!;
      pages.set(file, Number(end));
    }
    let found = 0;
    for (let n = 0; n < CASES / 2; n++) {
      const path = files[Math.floor(next() * files.length)]!;
      const bit = 8 * 4 + Math.floor(next() * 8 * (pages.get(path)! - 4));
      const bytes = readFileSync(path);
      const lines = (): Promise<string[]> => hyparquetLines({ folder: '/', files: [{ path, region: options.groupBy ? undefined : '', rows: 0, bytes: 0, rowGroups: 1, sha256: '' }], scale: 0 });
      const before = await lines();
      writeFileSync(path, flipped(bit)(Buffer.from(bytes)));
      const problems = await problemsOf(place);
      if (problems.length > 0) found++;
      else assert.deepEqual(await lines(), before, `${JSON.stringify(options)}: bit ${bit} of ${path}`);
      for (const problem of problems) assert.match(problem, /^The dataset/);
      writeFileSync(path, bytes);
    }
    assert.ok(found > CASES / 10, `${found} of ${CASES / 2} were found`);
  }
});

test('Parquet files that are removed, cut, exchanged, or too many', async (t) => {
  const place = await twoCommits(t);
  const files = parquetFiles(place);
  const sizes = new Map<number, string>();
  let twins: [string, string] | undefined;
  for (const file of files) {
    const { length } = readFileSync(file);
    const other = sizes.get(length);
    if (other) twins ??= [other, file];
    sizes.set(length, file);
  }
  const name = (path: string): string => path.slice(place.output.length + 1);
  const [a, b] = twins ?? assert.fail('two files are equally long');
  assert.match((await changed(place, a, (bytes) => bytes.subarray(0, -1))).join(), /it has \d+ bytes, and should have \d+/);

  const exchange = (): void => {
    renameSync(a, `${place.folder}/x`);
    renameSync(b, a);
    renameSync(`${place.folder}/x`, b);
  };
  exchange();
  const exchanged = await problemsOf(place);
  assert.equal(exchanged.length, 2, exchanged.join('\n'));
  for (const [n, path] of [a, b].entries()) {
    assert.match(exchanged[n]!, new RegExp(`^The dataset's file ${name(path)} is not what was published: it is of the region "..?"\\.$`));
  }
  exchange();

  cpSync(a, join(dirname(a), 'part-00001.parquet'));
  assert.match((await problemsOf(place)).join('\n'), /^The dataset has a file that etl-stream did not write: geo_region=.*part-00001\.parquet\.$/);
  rmSync(join(dirname(a), 'part-00001.parquet'));

  rmSync(a);
  assert.deepEqual(await problemsOf(place), [`The dataset's file ${name(a)} is missing.`]);
});

test('files of another commit, and the dataset of an earlier one', async (t) => {
  const place = await twoCommits(t);
  const version = join(place.folder, 'v');
  cpSync(place.output, version, { recursive: true, dereference: true });
  const whole = { ...place, output: version };
  assert.deepEqual(await problemsOf(whole), []);
  // With the description of the first commit, all of its files, and the mark of the second.
  for (const file of readdirSync(place.aside)) if (file !== '_etl') cpSync(join(place.aside, file), join(version, file), { recursive: true });
  cpSync(join(place.aside, '_etl', 'dataset.json'), join(version, '_etl', 'dataset.json'));
  const problems = await problemsOf(whole);
  assert.match(problems.join('\n'), /is not that of commit 2\.$/m);
  assert.match(problems.join('\n'), /^The dataset is not what its totals are: The region "\w\w" has \d+ rows, and should have \d+; /m);
  assert.match(problems.join('\n'), /_rejects\.jsonl does not hold the rows that were rejected/);

  rmSync(place.output);
  symlinkSync(place.aside, place.output);
  assert.equal((await describeState(place)).published, 'earlier');
  const earlier = await problemsOf(place);
  assert.equal(earlier.length, 1, earlier.join('\n'));
  assert.match(earlier[0]!, /is of an earlier commit than the last, which is commit 2\. The next run publishes it\.$/);
});

test('rejects that are fewer than were counted', async (t) => {
  const place = await twoCommits(t);
  const lines = await changed(place, join(place.state, 'rejects-1.jsonl'), (bytes) => bytes.subarray(bytes.indexOf(10) + 1));
  assert.match(lines.join('\n'), /^The state keeps \d+ rejected rows, and \d+ were rejected\.$/m);
});

/** Gives the state another index of ids, which `change` makes. */
async function reindex(place: Place, change: (index: PageIndex, store: IdStore) => PageIndex): Promise<void> {
  const state = await State.open(place.state);
  const { format, commit, ...content } = state.head!;
  const index = PageIndex.decode(state.index)!;
  const store = new IdStore({ folder: place.state, index, commit, partBits: PART_BITS.one });
  const next = change(index, store);
  await state.amend({ ...content, ids: next.ids }, next.encoded);
  store.close({ committed: true });
  await state.close();
}

test('pages of ids: one that is none, one that is gone, ids that are there twice, or not at all', async (t) => {
  const place = await twoCommits(t);
  const state = await State.open(place.state);
  const index = PageIndex.decode(state.index)!;
  await state.close();
  const page = Array.from(index.all()).find(({ edition }) => edition === 1)!;
  const path = join(place.state, idFileName(page));
  assert.deepEqual(await changed(place, path, flipped(8 * (page.at + 20))), [`The state is damaged: a page of the ids of slice ${page.slice} does not hold what was written to it.`]);
  const [moved] = await changed(place, path, (bytes) => bytes.subarray(1));
  assert.match(moved!, /^The ids in .*ids-1-0\.pages are damaged: the page at byte \d+ is not the one that was written there\.$/);
  const whole = readFileSync(path);
  rmSync(path);
  const problems = await problemsOf(place);
  assert.ok(problems.length > 100 && problems.every((problem) => /ids-1-0\.pages are damaged: it is missing/.test(problem)), problems[0]);
  writeFileSync(path, whole);
  assert.deepEqual(await problemsOf(place), []);

  await reindex(place, (_, store) => {
    const copy = new Uint8Array(page.bytes);
    store.read(page, copy);
    store.add(page.slice, copy);
    return store.next();
  });
  const twice = await problemsOf(place);
  assert.equal(twice.length, 2, twice.join('\n'));
  assert.match(twice[0]!, new RegExp(`^The slice ${page.slice} should have \\d+ ids in \\d+ pages, and they have \\d+ different ones\\.$`));
  assert.match(twice[1]!, /^The rows of commit 2 do not balance: /);
  await reindex(place, (index) => index.with([], new Set(Array.from(index.of(page.slice), ({ entry }) => entry))));
  assert.match((await problemsOf(place)).join('\n'), /^The rows of commit 2 do not balance: .*, 0 forgotten\.$/);
});

test('an index that is none', async (t) => {
  const place = await twoCommits(t);
  const state = await State.open(place.state);
  const { format, commit, ...content } = state.head!;
  await state.amend(content, Uint8Array.of(1, 2, 3));
  await state.close();
  assert.match((await problemsOf(place))[0]!, /its index of pages of ids cannot be that of \d+ ids/);
  await assert.rejects(run({ inputs: [place.logs], output: place.output }), { code: 'ETL_STATE_DAMAGED', hint: /--overwrite/ });
  await run({ inputs: [place.logs], output: place.output, overwrite: true });
  assert.deepEqual(await problemsOf(place), []);
});
