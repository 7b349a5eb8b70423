/** What a run promises besides its answer: the same bytes twice, balance, rejects, and an untouched output when it fails. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateLogs } from '../../lib/generate/generate.ts';
import { divide } from '../../lib/core/memory-budget.ts';
import { EtlError, type JobEvents, type Summary } from '../../lib/index.ts';
import type { RunOptions } from '../../lib/core/options.ts';
import { runJob } from '../../lib/pipeline/job.ts';
import { fewRegionsFile } from '../geo/few-regions.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';
import { run, validateOptions } from './one-shot.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)';

/** Nothing hidden may be left beside an output. */
function assertTidy(folder: string, expected: readonly string[]): void {
  assert.deepEqual(readdirSync(folder).sort(), [...expected].sort());
}

test('the same input and options give the same bytes, whole, in small blocks or from spilled runs', async (t) => {
  const folder = temporaryFolder(t);
  const inputs = [join(folder, 'logs')];
  await generateLogs({ folder: inputs[0]!, size: 3e6, users: 20_000, files: 2, badRows: 0.01 });
  for (const groupBy of ['region', 'user'] as const) {
    const output = (name: string): RunOptions => ({ inputs, output: join(folder, `${name}-${groupBy}`), groupBy });
    await run(output('one'));
    await run(output('two'));
    const spilled = await runJob(validateOptions(output('spilled')), { limits: { aggregateBytes: 1 << 18 } });
    assert.ok(spilled.runs.spilled > 3, `${spilled.runs.spilled} runs were spilled`);
    const blocks = await runJob(validateOptions(output('blocks')), { limits: { blockBytes: 1009 } });
    assert.deepEqual(blocks.rows, spilled.rows);
    const expected = contents(join(folder, `one-${groupBy}`));
    assert.ok(Object.keys(expected).length > (groupBy === 'user' ? 2 : 50));
    assert.deepEqual(contents(join(folder, `two-${groupBy}`)), expected);
    assert.deepEqual(contents(join(folder, `blocks-${groupBy}`)), expected);
    assert.deepEqual(contents(join(folder, `spilled-${groupBy}`)), expected);
  }
  assertTidy(folder, ['blocks-region', 'blocks-user', 'logs', 'one-region', 'one-user', 'spilled-region', 'spilled-user', 'two-region', 'two-user']);
});

test('rejected rows are told with file, line, byte, column, code and raw text', async (t) => {
  const folder = temporaryFolder(t);
  const lines = [HEADER, '1,u,t,8.8.8.8,5', ',u,t,8.8.8.8,5', '3,"u\nu",t,8.8.8.8,5', '4,u,t,8.8.8.8,many', '5,u', '6,u,t,,7'];
  const text = lines.join('\n');
  writeFileSync(join(folder, 'a.csv'), text);
  const summary = await run({ inputs: [join(folder, 'a.csv')], output: join(folder, 'out') });
  assert.deepEqual(summary.rows, { read: 6, duplicates: 0, rejected: 3, counted: 3 });
  assert.deepEqual(summary.rejectedBy, { field_count: 1, missing_id: 1, bad_value: 1 });
  assert.equal(summary.unknownRegion, 1);
  const rejects = readFileSync(join(folder, 'out', '_rejects.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(rejects.map(({ line, byte, column, code, raw }) => ({ line, byte, column, code, raw })), [
    { line: 3, byte: text.indexOf('\n,u,t') + 1, column: 'log_id', code: 'missing_id', raw: lines[2] },
    { line: 6, byte: text.indexOf('4,u'), column: 'watch_time(min)', code: 'bad_value', raw: lines[4] },
    { line: 7, byte: text.indexOf('5,u'), column: null, code: 'field_count', raw: lines[5] },
  ]);
  for (const { file, message } of rejects) {
    assert.equal(file, join(folder, 'a.csv'));
    assert.match(String(message), /\.$/);
  }
});

test('a job that fails at any stage leaves the earlier output and no other trace', async (t) => {
  const folder = temporaryFolder(t);
  const good = join(folder, 'good.csv');
  const output = join(folder, 'out');
  writeFileSync(good, `${HEADER}\n1,u,t,8.8.8.8,5\n`);
  await run({ inputs: [good], output });
  const before = contents(output);
  const failing: [string, string, Partial<RunOptions>, string][] = [
    ['missing column', 'a,b\n1,2\n', {}, 'ETL_HEADER'],
    ['sum beyond 64 bits', `${HEADER}\n1,u,t,8.8.8.8,9223372036854775807\n2,u,t,8.8.8.8,1\n`, {}, 'ETL_VALUE_OVERFLOW'],
    ['sum beyond a decimal', `${HEADER}\n1,u,t,8.8.8.8,60000000000000000\n2,u,t,8.8.8.8,60000000000000000\n`, { valueScale: 1 }, 'ETL_VALUE_OVERFLOW'],
    ['nothing at all', '', {}, 'ETL_HEADER'],
    ['no such database', `${HEADER}\n`, { geoDb: good }, 'ETL_GEO_DATABASE'],
    ['no such field', `${HEADER}\n`, { geoField: 'city.names.en' }, 'ETL_GEO_DATABASE'],
    ['temporary folder is a file', `${HEADER}\n`, { temp: join(good, 'x') }, 'ETL_TEMP_WRITE'],
  ];
  for (const [what, content, options, code] of failing) {
    const bad = join(folder, 'bad.csv');
    writeFileSync(bad, content);
    const error = await run({ inputs: [bad], output, overwrite: true, ...options }).then(() => undefined, (reason: unknown) => reason);
    assert.ok(error instanceof EtlError, `${what}: ${String(error)}`);
    assert.equal(error.code, code, what);
    assert.deepEqual(contents(output), before, what);
    assertTidy(folder, ['good.csv', 'bad.csv', 'out']);
  }
});

test('inputs and temporary files inside the output are refused', async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'out');
  writeFileSync(join(folder, 'a.csv'), `${HEADER}\n`);
  await assert.rejects(run({ inputs: [join(folder, 'a.csv')], output: folder }), { code: 'ETL_USAGE', message: /a\.csv lies in the output/ });
  await assert.rejects(run({ inputs: [join(folder, 'a.csv')], output, temp: join(output, 'temp') }), { code: 'ETL_USAGE' });
  assertTidy(folder, ['a.csv']);
});

test('a quote that is never closed costs one row, however much of the input is behind it; it ends the job once nobody can tell what it swallowed', async (t) => {
  const folder = temporaryFolder(t);
  const rows = (count: number): string => Array.from({ length: count }, (_, id) => `${id},u,t,8.8.8.8,1\n`).join('');
  const start = `${HEADER}\n${rows(10)}`;
  const job = async (text: string, options: Partial<RunOptions> = {}): Promise<Summary> => {
    writeFileSync(join(folder, 'a.csv'), text);
    return run({ inputs: [join(folder, 'a.csv')], output: join(folder, 'out'), overwrite: true, ...options });
  };
  for (const [behind, options] of [[100, {}], [200_000, {}], [1_500_000, {}], [200_000, { maxRecord: 1 << 20 }], [200_000, { maxRecord: 1000 }]] as const) {
    for (const jobs of [1, 2]) {
      const { rejectedBy, rows: { read } } = await job(`${start}x,"u,t,8.8.8.8,1\n${rows(behind)}`, { ...options, jobs });
      assert.deepEqual([rejectedBy, read], [{ unterminated_quote: 1 }, 11 + behind], `${behind} rows, ${JSON.stringify(options)}, ${jobs} jobs`);
    }
  }
  const text = 'not,a,row\n'.repeat(400_000);
  await assert.rejects(job(`${start}x,"u\n${text}`, { maxRecord: 1 << 20 }), {
    code: 'ETL_INPUT_READ', message: new RegExp(`a\\.csv that begins in line 12 \\(byte ${start.length}\\) opens a quote`),
  });
  const closed = `${start}x,u,"${text}",8.8.8.8,1\n${rows(20)}`;
  assert.deepEqual((await job(closed, { maxRecord: 1 << 20 })).rejectedBy, { record_too_long: 1 });
  for (const jobs of [1, 3]) {
    const { rejectedBy, rows: { counted } } = await job(closed, { jobs });
    assert.deepEqual([rejectedBy, counted], [{}, 21], 'under 16 MB');
  }
  const little = runJob(validateOptions({ inputs: [join(folder, 'a.csv')], output: join(folder, 'out'), overwrite: true }), { limits: divide(19 << 20) });
  await assert.rejects(little, { code: 'ETL_MEMORY', message: /begins in line 12 .* no room for so long a record/ });
});

test('an input that gets shorter while it is read ends the job', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'a.csv');
  writeFileSync(file, `${HEADER}\n${'1,u,t,8.8.8.8,1\n'.repeat(1000)}`);
  const events = new EventEmitter();
  events.on('phase', (phase) => phase === 'scatter' && truncateSync(file, 5000));
  await assert.rejects(run({ inputs: [file], output: join(folder, 'out') }, { events }), { code: 'ETL_INPUT_READ', message: /shorter/ });
  assertTidy(folder, ['a.csv']);
});

test('sums that pass 64 bits on the way and return are right', async (t) => {
  const folder = temporaryFolder(t);
  const most = 9223372036854775807n;
  const values = [most, most, most, -most, -most - 1n, -1n, 2n];
  writeFileSync(join(folder, 'a.csv'), [HEADER, ...values.map((value, id) => `${id},u,t,8.8.8.8,${value}`), ''].join('\n'));
  const summary = await run({ inputs: [folder], output: join(folder, 'out') });
  assert.equal(summary.rows.counted, values.length);
  const { readResult } = await import('../oracle/duckdb.ts');
  assert.deepEqual(await readResult(join(folder, 'out')), [{ region: 'US', user: 'u', total: most, count: 7n }]);
});

test('header only is an empty result, not an error; a header-only input does not decide the scale', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs', 'a.csv'), HEADER);
  const empty = await run({ inputs: [join(folder, 'logs')], output: join(folder, 'empty') });
  assert.deepEqual(empty.rows, { read: 0, duplicates: 0, rejected: 0, counted: 0 });
  assertTidy(join(folder, 'empty'), ['_SUCCESS', '_etl', '_rejects.jsonl']);
  writeFileSync(join(folder, 'logs', 'b.csv'), `${HEADER}\n1,u,t,8.8.8.8,1.25\n`);
  writeFileSync(join(folder, 'logs', 'c.csv'), '');
  const some = await run({ inputs: [join(folder, 'logs')], output: join(folder, 'some') });
  assert.equal(some.valueScale, 2);
  assert.equal(some.rows.counted, 1);
});

test('an abort in the middle of a lane, spilling or not, rejects with ETL_ABORTED and leaves no file and no descriptor', async (t) => {
  const folder = temporaryFolder(t);
  await generateLogs({ folder: join(folder, 'logs'), size: 4e6, users: 40_000, files: 2 });
  const open = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);
  const options = validateOptions({ inputs: [join(folder, 'logs')], output: join(folder, 'out'), overwrite: true, geoDb: fewRegionsFile });
  await runJob(options);
  const before = open();
  let stopped = 0;
  for (const when of ['scatter', 'reduce', 'publish'] as const) {
    for (let turns = 1; turns < 40; turns += 3) {
      const controller = new AbortController();
      const events = new EventEmitter();
      events.on('phase', async (phase) => {
        if (phase !== when) return;
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        controller.abort(new Error('enough'));
      });
      const limits = { aggregateBytes: turns % 2 ? 1 << 18 : Infinity, blockBytes: 1 << 16 };
      const error = await runJob(options, { signal: controller.signal, events, limits }).then(() => undefined, (reason: unknown) => reason);
      if (error !== undefined) {
        stopped++;
        assert.equal((error as EtlError).code, 'ETL_ABORTED', `${when}, ${turns} turns: ${String(error)}`);
      }
      assertTidy(folder, ['logs', 'out']);
    }
  }
  assert.ok(stopped > 25, `${stopped} runs were stopped`);
  assert.equal(open(), before);
});

test('an abort in any phase rejects with ETL_ABORTED and leaves nothing', async (t) => {
  const folder = temporaryFolder(t);
  await generateLogs({ folder: join(folder, 'logs'), size: 3e6, files: 2 });
  for (const when of ['before', 'plan', 'scatter', 'reduce', 'publish']) {
    const controller = new AbortController();
    const events = new EventEmitter<JobEvents>();
    events.on('phase', (phase) => phase === when && controller.abort(new Error('enough')));
    if (when === 'before') controller.abort(new Error('enough'));
    await assert.rejects(run({ inputs: [join(folder, 'logs')], output: join(folder, 'out') }, { signal: controller.signal, events }), {
      code: 'ETL_ABORTED', message: /enough/,
    }, when);
    assertTidy(folder, ['logs']);
  }
});
