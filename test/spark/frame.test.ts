/**
 * The Spark job's framer (lib/spark/job/etl_stream_spark/frame.py) = etl-stream's own = the written rules, on random texts in every cut
 * into batches. It needs the Python that has Spark, not Spark. ETL_FRAME_CASES of them, from ETL_FRAME_SEED on.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { validateOptions } from '../../lib/core/options.ts';
import type { EtlError } from '../../lib/index.ts';
import { runJob } from '../../lib/pipeline/job.ts';
import { temporaryFolder } from '../temporary.ts';
import { framedByRules, framedHere, frameCase, textOf, type FrameCase, type Framed } from './frame-cases.ts';
import { python, pythonEnvironment, skip } from './python.ts';

const CASES = Number(process.env.ETL_FRAME_CASES ?? 1000);
const FIRST_SEED = Number(process.env.ETL_FRAME_SEED ?? 1);
const AT_ONCE = 250;
/** What the framer tells of a record. */
const FRAMED: readonly string[] = ['', '', 'bad_quote', 'unterminated_quote', 'record_too_long'];

interface Answers {
  readonly answers: (Framed & { readonly differs: unknown })[];
  readonly seen: { byArrays: number; byFramer: number };
}

/** One process that frames texts as the job's workers do. */
function worker(t: TestContext): (cases: readonly FrameCase[]) => Promise<Answers> {
  const child = spawn(python, [join(import.meta.dirname, 'frame_cases.py')], { env: { ...process.env, ...pythonEnvironment() }, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return async (cases) => {
    child.stdin.write(`${JSON.stringify(cases)}\n`);
    const { value, done } = await lines.next();
    assert.ok(!done, 'Python gave no answer');
    return JSON.parse(value) as Answers;
  };
}




test(`${CASES} random texts: as etl-stream frames them, in every cut into batches`, { skip }, async (t) => {
  const ask = worker(t);
  const met = { good: 0, bad_quote: 0, unterminated_quote: 0, record_too_long: 0, lost: 0, proved: 0, loneCr: 0, overBatches: 0, notUtf8: 0, emptyLines: 0, ruled: 0 };
  let seen = { byArrays: 0, byFramer: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed += AT_ONCE) {
    const cases = await Promise.all(Array.from({ length: Math.min(AT_ONCE, FIRST_SEED + CASES - seed) }, (_, at) => frameCase(seed + at)));
    const given = await ask(cases);
    seen = given.seen;
    for (const [at, which] of cases.entries()) {
      const told = `seed ${seed + at} (ETL_FRAME_SEED=${seed + at} ETL_FRAME_CASES=1): ${JSON.stringify(which)}`;
      const { differs, ...framed } = given.answers[at]!;
      const bytes = await textOf(which);
      const wanted = framedHere(which, bytes);
      assert.deepEqual(framed, wanted, told);
      assert.equal(differs, null, told);
      const byRules = framedByRules(which, bytes);
      if (byRules) assert.deepEqual(framed, byRules, `${told}, by the rules`);
      met.ruled += Number(byRules !== undefined);
      count(which, bytes, wanted, met);
    }
  }
  t.diagnostic(JSON.stringify({ ...met, ...seen }));
  if (CASES >= 1000) for (const [what, times] of Object.entries({ ...met, ...seen })) assert.ok(times > 20, `${what}: ${times}`);
});

function count(which: FrameCase, bytes: Buffer, { records, totals, error }: Framed, met: Record<string, number>): void {
  for (const [, , record, status, valid] of records) {
    met[['good', '', 'bad_quote', 'unterminated_quote', 'record_too_long'][status]!]!++;
    met.overBatches! += Number(record.includes('\n'));
    met.notUtf8! += Number(!valid);
  }
  met.lost! += Number(error !== null);
  met.emptyLines! += totals?.[1] ?? 0;
  met.loneCr! += Number(/\r(?!\n)/.test(which.text));
  // Nothing can be proved where no record has the number of fields that is expected.
  const unproved = framedHere({ ...which, width: 0 }, bytes);
  met.proved! += Number(records.some(([, , , status], at) => status === 3 && unproved.records[at]?.[2] !== records[at]![2]));
}

const PLACES = { dialect: { delimiter: ',', quote: '"', comment: '', header: true, skip_lines: 0 }, width: 4, isPlain: true, cuts: [[1 << 30, 1 << 30], [1, 1 << 30], [3, 1 << 30]] } as const;

test('places of records are those of a local run, in every encoding, compressed or not; and what it says of an input that is lost', { skip }, async (t) => {
  const ask = worker(t);
  const folder = temporaryFolder(t);
  const rows = [`caf\xe9 \x80 \xfc,u,1.1.1.1,x`, `"two\nlines \xe9",u,1.1.1.1,x\r`, '', `lone\rcr\xdf,u,1.1.1.1,x`, `a"b\x9f,u,p,1`, `"never \xe4,u,p,1`, `1,u,1.1.1.1,x`, `2,u,1.1.1.1,"x"`, `${'long '.repeat(250)}\xe9`, `3,u,p,x`];
  const text = rows.join('\n');
  for (const [encoding, mark] of [['latin1', ''], ['windows-1252', ''], ['utf-8', ''], ['auto', '\xef\xbb\xbf'], ['latin1', '\xef\xbb\xbf']] as const) {
    // A mark is one in UTF-8 only: in others it is of the first name, which so is another, of a column more.
    const isName = mark !== '' && encoding !== 'auto';
    const stored = Buffer.from(`${mark}${isName ? `x,i,u,p,v\n${text.replaceAll(',u,', ',0,u,')}` : `i,u,p,v\n${text}`}`, 'latin1');
    for (const form of ['plain', 'gzip'] as const) {
      const path = join(folder, form === 'gzip' ? 'a.csv.gz' : 'a.csv');
      writeFileSync(path, form === 'gzip' ? gzipSync(stored) : stored);
      const limit = 1000;
      const columns = { id: 'i', user: 'u', ip: 'p', value: 'v' };
      await runJob(validateOptions({ inputs: [path], output: join(folder, 'out'), overwrite: true, state: false, jobs: 1, columns, encoding, maxRecord: limit, maxRejects: { share: 1 } }));
      const rejects = readFileSync(join(folder, 'out', '_rejects.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { line: number; byte: number; code: string; raw: string });
      const which = { ...PLACES, text: stored.toString('latin1'), limit, encoding, isPlain: form === 'plain', width: isName ? 5 : 4 };
      const { answers: [framed] } = await ask([which]);
      assert.equal(framed!.differs, null);
      const here = framed!.records.map(([line, byte, record, status]) => [line, byte, status, Buffer.from(record, 'latin1').toString().slice(0, 40)]);
      assert.deepEqual(here, rejects.map(({ line, byte, code, raw }) => [line, byte, Math.max(0, FRAMED.indexOf(code)), raw.slice(0, 40)]), `${encoding}, ${form}`);
      assert.ok(rejects.length >= 9 && new Set(rejects.map(({ code }) => code)).size >= 4);
    }
  }
  const lost = `i,u,p,v\n1,u,1.1.1.1,1\n2,"u${'x\n'.repeat(1000)}`;
  writeFileSync(join(folder, 'a.csv'), lost);
  const { answers: [framed] } = await ask([{ ...PLACES, text: lost, limit: 1000, encoding: 'auto' }]);
  await assert.rejects(runJob(validateOptions({ inputs: [join(folder, 'a.csv')], output: join(folder, 'lost'), state: false, jobs: 1, columns: { id: 'i', user: 'u', ip: 'p', value: 'v' }, maxRecord: 1000 })), (error: EtlError) => {
    assert.deepEqual(framed!.error, [error.code, error.message.replace(join(folder, 'a.csv'), 'a.csv'), error.hint]);
    return true;
  });
});

test('of a record that is too long 65,537 bytes are kept, and its length is one over the limit', { skip }, async (t) => {
  const text = `i,u,p,v\n${'x'.repeat(80_000)}\n"${'y\n'.repeat(40_000)}"\n1,2,3,4\n`;
  const { answers: [framed] } = await worker(t)([{ ...PLACES, text, limit: 70_000, encoding: 'auto', cuts: [[1 << 30, 1 << 30], [9000, 1 << 30], [1 << 30, 1000]] }]);
  assert.deepEqual(framed, {
    records: [[2, 8, 'x'.repeat(65_537), 4, true, 70_001], [3, 80_009, `"${'y\n'.repeat(32_768)}`, 4, true, 70_001], [40_004, 160_012, '1,2,3,4', 0, true, 7]],
    totals: [3, 0, 160_020], error: null, differs: null,
  });
});
