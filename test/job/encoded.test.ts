/** Whole runs over inputs that have to be decoded: the same bytes as from text, and nothing at all from what is damaged. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { validateOptions, type RunOptions } from '../../lib/core/options.ts';
import { generateLogs } from '../../lib/generate/generate.ts';
import type { EtlError, Summary } from '../../lib/index.ts';
import { runJob, type JobContext } from '../../lib/pipeline/job.ts';
import { BlockRing } from '../../lib/source/block-ring.ts';
import { ReadTurns } from '../../lib/source/read-turns.ts';
import { etlStream } from '../cli/program.ts';
import { fewRegionsFile } from '../geo/few-regions.ts';
import { byProgram } from '../source/bytes.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';

const BOM = '\ufeff';
const FIXTURES = join(import.meta.dirname, '../../fixtures/compressed');

/** How a file of text may stand on the disk; undefined where the program for it is missing. */
const FORMS: Record<string, (text: Buffer) => Buffer | undefined> = {
  gzip: (text) => gzipSync(text),
  zstd: (text) => byProgram('zstd', ['-qc'], text),
  bzip2: (text) => byProgram('bzip2', ['-c'], text),
  'utf-16le': (text) => Buffer.from(text.toString(), 'utf16le'),
  'utf-16be': (text) => Buffer.from(text.toString(), 'utf16le').swap16(),
  'utf-16le in gzip': (text) => gzipSync(Buffer.from(text.toString(), 'utf16le')),
};

async function logs(t: TestContext): Promise<string> {
  const folder = temporaryFolder(t);
  await generateLogs({ folder: join(folder, 'text'), size: 5e5, users: 2000, files: 3, duplicates: 0.2, badRows: 0.01 });
  for (const name of readdirSync(join(folder, 'text'))) {
    const path = join(folder, 'text', name);
    writeFileSync(path, BOM + readFileSync(path, 'utf8'));
  }
  return folder;
}

/** By user, which makes few files. */
function job(folder: string, options: Partial<RunOptions>, context: JobContext = {}): Promise<Summary> {
  return runJob(validateOptions({ inputs: [join(folder, 'logs')], output: join(folder, 'out'), groupBy: 'user', geoDb: fewRegionsFile, ...options }), { threadsFrom: 0, ...context });
}

/** Puts the logs at the one path that they have in all runs, in a form. */
function put(folder: string, form: (text: Buffer, name: string) => Buffer | undefined): boolean {
  for (const name of readdirSync(join(folder, 'text'))) {
    const bytes = form(readFileSync(join(folder, 'text', name)), name);
    if (!bytes) return false;
    mkdirSync(join(folder, 'logs'), { recursive: true });
    writeFileSync(join(folder, 'logs', name), bytes);
  }
  return true;
}

/** Of the logs, as they stand. */
function bytesOn(folder: string): number {
  return readdirSync(join(folder, 'logs')).reduce((sum, name) => sum + statSync(join(folder, 'logs', name)).size, 0);
}

test('the same bytes in every form, at 1 and 3 jobs, rejects included; and then there is nothing new', async (t) => {
  const folder = await logs(t);
  put(folder, (text) => text);
  const expected = await job(folder, { state: false, overwrite: true, jobs: 1 });
  const bytes = contents(join(folder, 'out'));
  assert.ok(expected.rows.rejected > 20 && expected.rows.duplicates > 100);
  assert.equal(expected.inputBytes, bytesOn(folder));
  const rings = t.mock.method(BlockRing, 'create').mock;
  const turns = t.mock.method(ReadTurns, 'create').mock;
  let many = 0;
  let commits = 0;
  for (const [number, [name, form]] of Object.entries(FORMS).entries()) {
    if (!put(folder, form)) {
      t.diagnostic(`no program for ${name}`);
      continue;
    }
    for (const jobs of [1, 3]) {
      const one = await job(folder, { state: false, overwrite: true, jobs });
      assert.equal(one.jobs, jobs);
      assert.deepEqual([one.rows, one.bytes, one.inputBytes], [expected.rows, expected.bytes, bytesOn(folder)], name);
      assert.deepEqual(contents(join(folder, 'out')), bytes, `${name}, ${jobs} jobs`);
      many += Number(jobs > 1);

      if (jobs !== (number === 0 ? 3 : 1)) continue; // threads take long to start from sources
      const kept = { output: join(folder, 'kept'), state: join(folder, 'state'), jobs };
      const first = await job(folder, { ...kept, overwrite: true, checkpoint: number < 2 ? 1 : undefined });
      assert.deepEqual(first.rows, expected.rows);
      if (number < 2) assert.equal(first.state!.commit, 3 + commits, 'one after each input');
      commits = first.state!.commit;
      const again = await job(folder, kept);
      assert.deepEqual([again.inputs, again.rows.read, again.state!.knownInputs, again.state!.isUnchanged], [0, 0, 3, true], name);
    }
  }
  assert.ok(rings.callCount() >= many && many > 0, 'main reads');
  assert.equal(turns.callCount(), 0);
});

test('one compressed file among others, and text in a file that is called .gz', async (t) => {
  const folder = await logs(t);
  put(folder, (text) => text);
  await job(folder, { state: false, jobs: 3 });
  const bytes = contents(join(folder, 'out'));
  put(folder, (text, name) => (name.includes('2') ? gzipSync(text) : text));
  await job(folder, { state: false, overwrite: true, jobs: 3 });
  assert.deepEqual(contents(join(folder, 'out')), bytes);

  cpSync(join(FIXTURES, 'logs.csv'), join(folder, 'named.csv.gz'));
  const { rows } = await job(folder, { state: false, overwrite: true, inputs: [join(folder, 'named.csv.gz')] });
  assert.deepEqual([rows.read, rows.counted], [30, 30]);
});

test('what is damaged fails the run in every mode, and an earlier output stays', async (t) => {
  const folder = await logs(t);
  put(folder, (text) => text);
  await job(folder, { jobs: 1 });
  const before = contents(join(folder, 'out'));
  const later = join(folder, 'logs', 'zz.csv');
  for (const name of ['logs.gz', 'logs.zst', 'logs.bz2']) {
    const file = readFileSync(join(FIXTURES, name));
    const flipped = Buffer.from(file);
    flipped[Math.floor(file.length / 2)]! ^= 0x10;
    for (const [what, bytes] of Object.entries({ short: file.subarray(0, -3), flipped, longer: Buffer.concat([file, Buffer.from('more')]) })) {
      writeFileSync(later, bytes);
      for (const onError of ['reject', 'fail', 'repair'] as const) {
        for (const jobs of [1, 3]) {
          const error = await job(folder, { jobs, onError }).then(() => undefined, (reason: EtlError) => reason);
          assert.equal(error?.code, 'ETL_INPUT_READ', `${name}, ${what}, ${onError}, ${jobs}: ${error}`);
          assert.match(error.message, /zz\.csv cannot be decompressed: .* bytes? \d+/);
        }
      }
    }
  }
  assert.deepEqual(contents(join(folder, 'out')), before);
  assert.deepEqual(readdirSync(folder).filter((name) => !['.out.state', '.out.versions', 'logs', 'out', 'text'].includes(name)), []);
});

test('the same by standard input, at 1 and 3 jobs', async (t) => {
  const folder = temporaryFolder(t);
  const run = async (bytes: Buffer, ...args: string[]): Promise<[code: number | null, said: string]> => {
    const { code, stderr } = await etlStream(['--no-state', '--overwrite', '-q', '-o', 'out', ...args], folder, bytes);
    return [code, stderr];
  };
  const text = readFileSync(join(FIXTURES, 'logs.csv'));
  assert.deepEqual(await run(text), [0, '']);
  const bytes = contents(join(folder, 'out'));
  const forms: [Buffer, ...string[]][] = [
    ...['members.gz', 'frames.zst', 'streams.bz2'].map((name): [Buffer] => [readFileSync(join(FIXTURES, name))]),
    [Buffer.from(text.toString(), 'utf16le'), '--encoding', 'utf-16le'],
    [Buffer.from(text.toString(), 'utf16le').swap16(), '--encoding', 'utf-16be'],
  ];
  for (const jobs of ['1', '3']) {
    for (const [form, ...args] of forms) {
      assert.deepEqual(await run(form, '-j', jobs, ...args), [0, '']);
      assert.deepEqual(contents(join(folder, 'out')), bytes, args.join(' '));
    }
  }
  const [code, said] = await run(readFileSync(join(FIXTURES, 'logs.gz')).subarray(0, 300));
  assert.equal(code, 1);
  assert.match(said, /The input <stdin> cannot be decompressed: its gzip data end in the middle \(at byte 300 /);
  assert.deepEqual(contents(join(folder, 'out')), bytes);
  assert.ok(existsSync(join(folder, 'out', '_SUCCESS')));
});
