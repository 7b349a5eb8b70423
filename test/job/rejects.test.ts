/** Limits of rejects, the same at any number of threads; rejects that are mended and fed back; `validate`, which says what a run would. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parse } from 'csv-parse/sync';
import { stringify } from './csv.ts';
import type { RunOptions } from '../../lib/core/options.ts';
import { validateOptions } from '../../lib/core/options.ts';
import { checkState, EtlError, run, validate, type RejectRecord, type Summary } from '../../lib/index.ts';
import { runJob } from '../../lib/pipeline/job.ts';
import { generateLogs } from '../../lib/generate/generate.ts';
import { fewRegionsFile } from '../geo/few-regions.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const SHARE = { maxRejects: { share: 1 } } as const;

function folderOf(context: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'logs'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'logs', name), text);
  return folder;
}

function job(folder: string, more: Partial<RunOptions> = {}, blockBytes?: number): Promise<Summary> {
  const options = validateOptions({ inputs: [join(folder, 'logs')], output: join(folder, 'out'), state: false, overwrite: true, geoDb: fewRegionsFile, ...more });
  return runJob(options, { threadsFrom: 0, ...(blockBytes !== undefined && { limits: { blockBytes } }) });
}

const rows = (good: number, bad: number, name = 'r'): string => (
  HEADER + Array.from({ length: good + bad }, (_, i) => `${name}${i},u${i % 3},t,8.8.8.8,${i < good ? i % 60 : 'x'}\n`).join('')
);

const failure = (promise: Promise<unknown>): Promise<EtlError> => promise.then(() => assert.fail('it did not fail'), (error: unknown) => error as EtlError);

test('the limit is exact, and nothing is published over it', async (t) => {
  for (const [good, bad, maxRejects, isOver] of [
    [95, 5, undefined, false], [94, 6, undefined, true], [71, 29, { share: 0.29 }, false], [70, 30, { share: 0.29 }, true], [0, 3, { share: 1 }, false],
    [10, 0, { share: 0 }, false], [1000, 1, { share: 0 }, true], [10, 3, { rows: 3 }, false], [10, 4, { rows: 3 }, true], [10, 0, { rows: 0 }, false],
    [10, 1, { rows: 0 }, true], [0, 0, { rows: 0 }, false], [0, 0, { share: 0 }, false],
  ] as const) {
    const folder = folderOf(t, { 'a.csv': rows(good, bad) });
    const outcome = await job(folder, { maxRejects }).catch((error: unknown) => error as EtlError);
    const what = `${bad} of ${good + bad}, ${JSON.stringify(maxRejects)}`;
    if (!isOver) assert.equal((outcome as Summary).rows?.rejected, bad, `${what}: ${String(outcome)}`);
    else assert.equal((outcome as EtlError).code, 'ETL_REJECTED', what);
    assert.deepEqual(readdirSync(folder).sort(), isOver ? ['logs'] : ['logs', 'out'], what);
    const { isAccepted, rows: counted } = await validate({ inputs: [join(folder, 'logs')], maxRejects });
    assert.deepEqual([isAccepted, counted], [!isOver, { read: good + bad, rejected: bad }], what);
  }
});

test('over the limit, the earlier output and the state are as they were', async (t) => {
  const folder = folderOf(t, { 'a.csv': rows(100, 1) });
  const options = { inputs: [join(folder, 'logs')], output: join(folder, 'out') };
  await run(options);
  const before = contents(join(folder, 'out'));
  const kept = readdirSync(join(folder, '.out.state')).sort();
  writeFileSync(join(folder, 'logs', 'b.csv'), rows(10, 2, 'b'));
  for (const more of [{}, { maxRejects: { rows: 1 } }, { onError: 'fail' }] as const) {
    const { code, message } = await failure(run({ ...options, ...more }));
    assert.equal(code, 'ETL_REJECTED');
    assert.match(message, /b\.csv, line 12 \(byte \d+\)/);
    assert.deepEqual(contents(join(folder, 'out')), before);
    assert.deepEqual(readdirSync(join(folder, '.out.state')).sort(), kept);
    assert.deepEqual((await checkState({ output: options.output })).problems, []);
  }
  assert.equal((await run({ ...options, ...SHARE })).rows.counted, 10);
});

test('the first rejected row, and the first N, are the same at any number of threads and blocks', async (t) => {
  const folder = temporaryFolder(t);
  await generateLogs({ folder: join(folder, 'logs'), size: 6e5, users: 500, files: 3, badRows: 0.03 });
  await job(folder, SHARE);
  const lines = readFileSync(join(folder, 'out', '_rejects.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as RejectRecord);
  assert.ok(lines.length > 100);
  writeFileSync(join(folder, 'logs', 'zzz.csv'), 'no,log\n1,2\n'); // whoever reads it must not be told of first
  for (const [more, told] of [[{ onError: 'fail' }, 1], [{ maxRejects: { rows: 0 } }, 1], [{ maxRejects: { rows: 60 } }, 3]] as const) {
    const messages = new Set<string>();
    for (const [jobs, blockBytes] of [[1, undefined], [1, 997], [2, 4099], [3, 20_011]] as const) {
      const { code, message } = await failure(job(folder, { ...more, jobs }, blockBytes));
      assert.equal(code, 'ETL_REJECTED', `${jobs} jobs, ${blockBytes}: ${message}`);
      messages.add(message);
    }
    assert.equal(messages.size, 1, [...messages].join('\n\n'));
    const [message] = messages;
    for (const { line, byte, file, message: why, field_byte: field } of lines.slice(0, told)) {
      assert.ok(message!.includes(`${file}, line ${line} (byte ${byte})`) && message!.includes(why), message);
      if ('onError' in more && field !== null) assert.ok(message!.includes(`at byte ${field}`), message);
    }
    if (told === 3) assert.match(message!, /^61 rows were rejected before all were read, more than --max-rejects allows \(60\): /);
  }
});

test('a number of rows counts over the parts of a run, a share part by part', async (t) => {
  const folder = folderOf(t, { 'a.csv': rows(100, 2, 'a'), 'b.csv': rows(100, 2, 'b'), 'c.csv': rows(100, 2, 'c') });
  const options = { inputs: [join(folder, 'logs')], output: join(folder, 'out'), checkpoint: 1 };
  const { code, message } = await failure(run({ ...options, maxRejects: { rows: 4 } }));
  assert.equal(code, 'ETL_REJECTED');
  assert.match(message, /^5 rows were rejected before all were read \(4 of them before the last checkpoint\).*c\.csv, line 102/s);
  assert.ok(!existsSync(join(folder, 'out')), 'two parts are committed, none is published');
  assert.equal((await run({ ...options, maxRejects: { rows: 2 } })).rows.rejected, 2, 'the next run goes on from there');
  assert.deepEqual((await checkState({ output: options.output })).problems, []);
});

test('rejects as CSV, by a run and by a state, mended and fed back: counted once', async (t) => {
  const bad = [
    'm1,alice,t,1.1.1.1,x5', 'm2,=bob,t,1.1.1.1,1441', ",carol,t,1.1.1.1,5", "m4,'dave,t,1.1.1.1,-1", 'm5,"er,in",t,1.1.1.1,', 'm6,frank,t,1.1.1.1', '"m7"x,gina,t,1.1.1.1,3',
    '-m8,+hal,not a time,1.1.1.1,4', '=m9,"@iv\ny",t,1.1.1.1,2000',
  ];
  const whole = ['m1,alice,t,1.1.1.1,5', 'm2,=bob,t,1.1.1.1,144', 'm3,carol,t,1.1.1.1,5', "m4,'dave,t,1.1.1.1,1", 'm5,"er,in",t,1.1.1.1,7', 'm6,frank,t,1.1.1.1,6', 'm7,gina,t,1.1.1.1,3',
    '-m8,+hal,t,1.1.1.1,4', '=m9,"@iv\ny",t,1.1.1.1,20'];
  const good = 'g1,alice,t,1.1.1.1,1\n=g2,=bob,t,1.1.1.1,2\n';
  const folder = folderOf(t, { 'a.csv': HEADER + good + bad.map((row) => `${row}\r\n`).join('') });
  const rules = [{ column: 'timestamp', pattern: 't' }];
  const options = { inputs: [join(folder, 'logs')], output: join(folder, 'out'), rejectsFormat: 'csv', rules, ...SHARE } as const;
  const first = await run(options);
  assert.deepEqual([first.rows.counted, first.rows.rejected, first.rejectsFile], [2, 9, '_rejects.csv']);
  assert.deepEqual((await checkState({ output: options.output })).problems, []);
  const path = join(folder, 'out', '_rejects.csv');
  assert.ok(!existsSync(join(folder, 'out', '_rejects.jsonl')));
  await run({ ...options, state: false, output: join(folder, 'alone') });
  const text = readFileSync(path, 'utf8');
  assert.equal(readFileSync(join(folder, 'alone', '_rejects.csv'), 'utf8'), text);

  // As they are: all are rejected again, nothing is counted.
  const unmended = join(folder, 'unmended.csv');
  writeFileSync(unmended, text);
  const again = await run({ ...options, inputs: [unmended] });
  assert.deepEqual(again.rows, { read: 9, duplicates: 0, rejected: 9, counted: 0 });

  // By a script that writes all fields anew where they are empty, and the value where it is wrong.
  const records = parse(text, { columns: true }) as Record<string, string>[];
  assert.deepEqual(records.map(({ _reject_code: code, log_id: id }) => `${code} ${id}`), [
    'bad_value m1', 'rule m2', 'missing_id ', 'rule m4', 'missing_value m5', 'field_count ', 'bad_quote ', 'rule ', "rule '=m9",
  ]);
  const mended = records.map((record, i) => {
    const [id, user, , ip, value] = (parse(whole[i]!) as string[][])[0]!;
    const isEmpty = record.log_id === '' && record.user_id === '';
    return { ...record, ...(isEmpty && { log_id: id, user_id: user, ip_address: ip }), ...(record.log_id === '' && { log_id: id }), 'watch_time(min)': value };
  });
  writeFileSync(join(folder, 'mended.csv'), stringify([Object.keys(mended[0]!), ...mended.map((record) => Object.values(record) as string[])]));
  for (const counted of [9, 0]) {
    const { rows: fed } = await run({ ...options, inputs: [join(folder, 'mended.csv')] });
    assert.deepEqual(fed, { read: counted, duplicates: 0, rejected: 0, counted }, 'a second time it is known');
  }
  const copy = join(folder, 'copy.csv');
  writeFileSync(copy, readFileSync(join(folder, 'mended.csv')));
  assert.deepEqual((await run({ ...options, inputs: [copy] })).rows, { read: 9, duplicates: 9, rejected: 0, counted: 0 });
  assert.deepEqual((await checkState({ output: options.output })).problems, []);

  writeFileSync(join(folder, 'logs', 'a.csv'), HEADER + good + whole.map((row) => `${row}\n`).join(''));
  await run({ ...options, state: false, output: join(folder, 'whole') });
  const parquet = (output: string): object => Object.fromEntries(Object.entries(contents(output)).filter(([name]) => name.endsWith('.parquet')));
  assert.deepEqual(parquet(join(folder, 'out')), parquet(join(folder, 'whole')));
});

test('validate tells what a run rejects, by input and reason, and of inputs that are no logs', async (t) => {
  const folder = temporaryFolder(t);
  await generateLogs({ folder: join(folder, 'logs'), size: 3e5, users: 500, files: 3, badRows: 0.03 });
  const rules = [{ column: 'ip_address', type: 'ip' as const }, { column: 'timestamp', pattern: '.*[05]Z' }, { column: 'watch_time(min)', max: 200 }];
  const inputs = [join(folder, 'logs')];
  const { rows: counted, rejectedBy, emptyLines, valueScale } = await job(folder, { ...SHARE, rules });
  const found = await validate({ inputs, rules });
  assert.deepEqual([found.rows.read, found.rows.rejected, found.emptyLines, found.valueScale], [counted.read, counted.rejected, emptyLines, valueScale]);
  assert.deepEqual(found.rejectedBy, rejectedBy);
  assert.ok(Object.keys(rejectedBy).includes('rule timestamp:pattern=.*[05]Z') && rejectedBy['rule watch_time(min):max=200']! > 0);
  assert.deepEqual([found.isAccepted, found.limit], [false, '5%']);
  const lines = readFileSync(join(folder, 'out', '_rejects.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as RejectRecord);
  for (const { name, reasons, rejected, rows: read } of found.inputs) {
    const own = lines.filter(({ file }) => file === name);
    assert.deepEqual([own.length, read > own.length], [rejected, true]);
    for (const { reason, rows: count, first } of reasons) {
      const same = own.filter(({ code, column, rule }) => reason === (rule === null ? code : `rule ${column}:${rule}`));
      assert.deepEqual([same.length, { line: same[0]!.line, byte: same[0]!.byte, message: same[0]!.message }], [count, first]);
    }
  }

  writeFileSync(join(folder, 'logs', 'a-no-log.csv'), 'a,b\n1,2\n');
  writeFileSync(join(folder, 'logs', 'b-empty.csv'), '');
  const more = await validate({ inputs, rules, ...SHARE });
  assert.deepEqual(more.inputs.map(({ error }) => error?.code), ['ETL_HEADER', undefined, undefined, undefined, undefined]);
  assert.match(more.inputs[0]!.error!.message, /no column `log_id`/);
  assert.deepEqual([more.isAccepted, more.rows], [false, found.rows], 'the others are read all the same');
  assert.equal((await validate({ inputs: [join(folder, 'logs', 'b-empty.csv')] })).isAccepted, false);
  assert.deepEqual(readdirSync(folder).sort(), ['logs', 'out'], 'and nothing is written');
  await assert.rejects(validate({ inputs: [join(folder, 'nothing')] }), { code: 'ETL_INPUT_NOT_FOUND' });
  await assert.rejects(validate({ inputs }, { signal: AbortSignal.abort(new Error('enough')) }), { code: 'ETL_ABORTED' });
});
