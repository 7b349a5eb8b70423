/** The metrics file: each line as the text format of Prometheus has it, figures those of the summary, replaced in one step. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { metricsText } from '../../lib/cli/metrics.ts';
import type { Summary } from '../../lib/index.ts';
import { temporaryFolder } from '../temporary.ts';
import { etlStream } from './program.ts';

const LOGS = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n1,ann,t,8.8.8.8,10\n1,ann,t,8.8.8.8,10\n2,bob,t,10.0.0.1,20\n3,bob,t,1.1.1.1,x\n';

/** By name and labels but `output`, which each has. The grammar of the format: a line that is none of it fails. */
function parse(text: string): Map<string, { value: number; output: string }> {
  const samples = new Map<string, { value: number; output: string }>();
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (etl_stream_[a-z_]+) (gauge)$/.exec(line);
    if (type) {
      assert.ok(!types.has(type[1]!), line);
      types.set(type[1]!, type[2]!);
      continue;
    }
    const [, name, inside, value] = /^([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} (\S+)$/.exec(line) ?? assert.fail(line);
    assert.ok(types.has(name!), `${name} has no type`);
    const labels = [...inside!.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map((match) => [match[1]!, match[2]!] as const);
    const output = labels.find(([label]) => label === 'output')![1];
    const others = labels.filter(([label]) => label !== 'output').map(([label, of]) => `${label}=${of}`);
    const key = [name, ...others].join(' ');
    assert.ok(!samples.has(key), key);
    samples.set(key, { value: Number(value), output });
  }
  return samples;
}

test('after a run the metrics are those of the summary; after a failure the last success stays', async (t) => {
  const folder = temporaryFolder(t);
  const run = (...args: string[]) => etlStream(['--metrics-file', 'm.prom', '-o', 'out', '--max-rejects', '50%', '--json', ...args], folder, LOGS);
  const before = Date.now() / 1000;
  const { stdout, code, stderr } = await run();
  assert.equal(code, 0, stderr);
  const summary = JSON.parse(stdout) as Summary;
  const read = () => parse(readFileSync(join(folder, 'm.prom'), 'utf8'));
  const metrics = read();
  const value = (key: string): number => metrics.get(`etl_stream_${key}`)?.value ?? assert.fail(key);
  assert.deepEqual(['counted', 'duplicate', 'rejected'].map((outcome) => value(`last_run_rows outcome=${outcome}`)), [2, 1, 1]);
  assert.equal(value('last_run_read_rows'), 4);
  assert.equal(value('last_run_rejected_rows reason=bad_value'), 1);
  assert.equal(value('last_run_unknown_region_rows'), summary.unknownRegion);
  assert.equal(value('last_run_memory_peak_bytes'), summary.memory.peakRss);
  assert.equal(value('output_rows'), summary.groups);
  assert.equal(value(`build_info version=${summary.version}`), 1);
  assert.equal(value('last_run_success'), 1);
  assert.ok([...metrics.values()].every(({ output }) => output === join(folder, 'out')));
  const success = value('last_success_timestamp_seconds');
  assert.ok(success >= before && success <= Date.now() / 1000);

  assert.equal((await run('nothing.csv')).code, 1);
  const failed = read();
  assert.equal(failed.get('etl_stream_last_run_success')!.value, 0);
  assert.equal(failed.get('etl_stream_last_success_timestamp_seconds')!.value, success);
  assert.ok(failed.get('etl_stream_last_run_timestamp_seconds')!.value > success);
  assert.ok(!failed.has('etl_stream_output_rows'));

  assert.equal((await run()).code, 0);
  assert.ok(!read().has('etl_stream_output_rows'), 'nothing was new, nothing is said of the result');
  assert.deepEqual(readdirSync(folder).filter((name) => name.includes('prom')), ['m.prom']);
});

test('a metrics file that cannot be: said before the run, or after it with what became of it', async (t) => {
  const folder = temporaryFolder(t);
  const nowhere = await etlStream(['--metrics-file', 'no/m.prom', '-o', 'out'], folder, LOGS);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /does not exist\. \[ETL_USAGE\]/);
  assert.deepEqual(readdirSync(folder), []);
  mkdirSync(join(folder, 'm.prom'));
  writeFileSync(join(folder, 'm.prom', 'x'), '');
  const taken = await etlStream(['--metrics-file', 'm.prom', '-o', 'out', '--max-rejects', '50%'], folder, LOGS);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /Cannot write the metrics.*\[ETL_OUTPUT_WRITE\]\n.*is published/);
  assert.ok(readdirSync(folder).includes('out') && !readdirSync(folder).some((name) => name.startsWith('.m.prom')));
});

test('hostile labels stay labels', async () => {
  const output = '/a"b\\c\nd{e="f"} 1';
  const text = await metricsText(undefined, { output, seconds: 1, now: 2, lastSuccess: 3 });
  const { output: escaped } = [...parse(text).values()][0]!;
  assert.equal(escaped.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter)), output);
});
