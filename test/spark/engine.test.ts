/**
 * Jobs on Apache Spark, local[2], against local runs: the same result, row for row, the same rejects byte for byte, the same counts; or the same
 * error. All in one session. ETL_FUZZ_CASES: random jobs; default 1. Regions are those of a small database, which costs a job of Spark the least.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { generateLogs } from '../../lib/generate/generate.ts';
import { verifyDataset, type Summary } from '../../lib/index.ts';
import { etlStream } from '../cli/program.ts';
import { fewRegions } from '../geo/few-regions.ts';
import { randomCase } from '../job/random-case.ts';
import { database } from '../job/random-database.ts';
import { temporaryFolder } from '../temporary.ts';
import { everyRule } from './every-rule.ts';
import { SparkJobs } from './jobs.ts';
import { skip } from './python.ts';
import { assertSame } from './same.ts';

const CASES = Number(process.env.ETL_FUZZ_CASES ?? 1);
const FIRST_SEED = Number(process.env.ETL_FUZZ_SEED ?? 1);
const SMALL = ['--geo-db', 'small.mmdb'];
const FIXTURES = join(import.meta.dirname, '../../fixtures');

interface Twist {
  readonly groupBy?: 'region' | 'user' | undefined;
  readonly geo?: readonly string[];
  readonly urls?: readonly string[];
}

test('jobs on Spark', { skip }, async (context) => {
  const jobs = new SparkJobs(context);
  const folder = temporaryFolder(context);
  let number = 0;

  /** Runs both; gives the summary, or the code of the error that both had. `urls`: inputs that only Spark knows. */
  async function both(inputs: readonly string[], options: readonly string[], { groupBy = 'region', geo = SMALL, urls = [] }: Twist = {}): Promise<Summary | string> {
    const [spark, local] = [join(folder, `spark-${++number}`), join(folder, `local-${number}`)];
    const args = [...inputs, ...options, ...geo, '--group-by', groupBy, '--no-config'];
    const [expected, event] = await Promise.all([
      etlStream([...args, '--no-state', '--no-report', '--json', '--quiet', '-o', local], folder), jobs.run([...urls, ...args, '-o', spark], folder),
    ]);
    if (expected.code !== 0) {
      assert.equal(event.event, 'error', JSON.stringify(event));
      const { code, message } = event as Extract<typeof event, { event: 'error' }>;
      assert.equal(`etl-stream: ${message} [${code}]`, expected.stderr.split('\n')[0]);
      assert.deepEqual(readdirSync(folder).filter((name) => name.includes(`spark-${number}`)), []);
      return code;
    }
    assert.equal(event.event, 'result', JSON.stringify(event));
    const { summary } = event as Extract<typeof event, { event: 'result' }>;
    await assertSame({ folder: spark, summary }, { folder: local, summary: JSON.parse(expected.stdout) as Summary }, groupBy);
    assert.deepEqual((await verifyDataset({ output: spark })).problems, []);
    return summary;
  }

  function write(name: string, content: string | Uint8Array): string {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return name;
  }

  // Some 40 regions, not all there are: each file that Hadoop makes on a local disk is a process.
  write('small.mmdb', fewRegions());

  await context.test('generated logs: duplicates across files, rejects, IPv6; by user with the database that is embedded', async () => {
    await generateLogs({ folder: join(folder, 'logs'), size: 15e5, files: 3, users: 3000, duplicates: 0.2, badRows: 0.02 });
    const summary = await both(['logs'], []) as Summary;
    assert.ok(summary.rows.duplicates > 1000 && summary.rows.rejected > 100 && summary.regions > 20, JSON.stringify(summary));
    await both(['logs'], ['--rejects-format', 'csv', '--compression', 'snappy', '--parquet-encoding', 'plain'], { groupBy: 'user', geo: [] });
  });

  await context.test('fixtures', async () => {
    for (const name of ['logs.csv', 'logs.gz', 'logs.bz2', 'members.gz']) write(`compressed/${name.replace('.gz', '.csv.gz').replace('.bz2', '.csv.bz2')}`, readFileSync(join(FIXTURES, 'compressed', name)));
    // Records of those texts are no logs: what stands around them must be counted, and they be told as they are locally.
    const header = 'log_id,user_id,ip_address,watch_time(min)\n';
    for (const name of readdirSync(join(FIXTURES, 'csv')).filter((each) => each.endsWith('.csv'))) {
      write(`csv/${name}`, Buffer.concat([Buffer.from(`${header}${name},u,8.8.8.8,1\n`), readFileSync(join(FIXTURES, 'csv', name)), Buffer.from(`\n${name}-2,"quoted\nuser",2001:db8::1,2\n`)]));
    }
    const summary = await both(['compressed', 'csv'], ['--max-rejects', '100%']) as Summary;
    assert.ok(summary.rows.duplicates > 0 && summary.rows.rejected > 10 && summary.rows.counted >= 10, JSON.stringify(summary.rows));
  });

  await context.test('names that mean something to others, compressed inputs alone, and no header', async () => {
    const names = ['a b%20.csv', '2026-11-30T10:00.csv', '#?&.csv', '[a]{b,c}*.csv', '\\.csv', '\n\u00fc.csv'];
    names.forEach((name, at) => write(`names/${name}`, `${at},ann,2026-11-30,80.1.2.3,${at}\nsame,${at},2026-11-30,80.1.2.3,1\n`));
    // What lies beside a file is none of its own.
    write('names/.#?&.csv.crc', 'crc\0 of something else');
    assert.deepEqual((await both(['names'], ['--no-header']) as Summary).rows, { read: 12, duplicates: 5, rejected: 0, counted: 7 });
    // A file by its path and by its URL is one.
    const twice = await both(['compressed/logs.csv.gz', 'compressed/logs.csv.bz2'], [], { urls: [`file://${join(folder, 'compressed/logs.csv.gz')}`] }) as Summary;
    assert.ok(twice.inputs === 2 && twice.rows.counted > 0 && twice.rows.duplicates === twice.rows.counted, JSON.stringify(twice));
    write('cut.csv.gz', readFileSync(join(FIXTURES, 'compressed/logs.gz')).subarray(0, 300));
    const cut = await jobs.run(['cut.csv.gz', ...SMALL, '-o', 'cut'], folder);
    assert.ok(cut.event === 'error' && cut.code === 'ETL_INPUT_READ' && cut.message.includes('cut.csv.gz'), JSON.stringify(cut));
  });

  await context.test('every reason and rule', async () => {
    const { files, options, reasons } = everyRule();
    for (const [name, text] of Object.entries(files)) write(`rules/${name}`, text);
    const { rejectedBy } = await both(['rules'], [...options, '--max-rejects', '100%']) as Summary;
    assert.deepEqual(Object.keys(rejectedBy).sort(), reasons);
    assert.equal(await both(['rules'], options), 'ETL_REJECTED');
    assert.equal(await both(['rules'], [...options, '--on-error', 'fail']), 'ETL_REJECTED');
  });

  await context.test('what ends a run', async () => {
    const overflow = write('overflow.csv', 'log_id,user_id,ip_address,watch_time(min)\n1,ann,80.1.2.3,9000000000000000000\n2,ann,80.1.2.3,9000000000000000000\n');
    assert.equal(await both([overflow], ['--rule', 'watch_time(min):max=none']), 'ETL_VALUE_OVERFLOW');
    assert.equal(await both([write('other.csv', 'id;user;ip;minutes\n1;ann;80.1.2.3;12\n')], []), 'ETL_HEADER');
    assert.equal(await both([write('empty.csv', '')], []), 'ETL_HEADER');
    mkdirSync(join(folder, 'nothing'));
    assert.equal(await both(['nothing'], []), 'ETL_INPUT_NOT_FOUND');
    const header = write('header.csv', 'log_id,user_id,ip_address,watch_time(min)\n');
    assert.equal((await both([header], []) as Summary).rows.read, 0);
  });

  await context.test(`${CASES} random jobs`, async () => {
    write('geo.mmdb', database);
    for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed++) {
      const { files, options: { groupBy, compression, parquetEncoding, valueScale, columns, bounds } } = randomCase(seed);
      for (const { name, bytes } of files) write(`random-${seed}/${name}`, bytes);
      const value = columns?.value ?? 'watch_time(min)';
      await both([`random-${seed}`], [
        '--max-record', '1048576', '--max-rejects', '100%', '--compression', compression ?? 'zstd', '--parquet-encoding', parquetEncoding ?? 'auto',
        ...(valueScale === undefined ? [] : ['--value-scale', String(valueScale)]),
        ...Object.entries(columns ?? {}).flatMap(([role, name]) => [`--${role}-column`, name]),
        ...Object.entries(bounds ?? {}).flatMap(([kind, bound]) => ['--rule', `${value}:${kind}=${bound}`]),
      ], { groupBy, geo: ['--geo-db', 'geo.mmdb'] }).catch((error: Error) => {
        error.message = `seed ${seed}: ${error.message}`;
        throw error;
      });
    }
  });

  await context.test('the plan has one shuffle for the ids, one for the sums, and no cross join', async () => {
    for (const groupBy of ['region', 'user']) {
      const plan = await jobs.explain(['logs', ...SMALL, '--group-by', groupBy, '-o', 'planned'], folder);
      const nodes = plan.split('\n\n')[0]!;
      const shuffles = [...plan.matchAll(/^Arguments: (hash|range|round|single)\w*partitioning[^\n]*/gim)].map(([line]) => line);
      assert.equal(nodes.match(/\bExchange\b/g)?.length, 2, nodes);
      assert.match(shuffles.join('\n'), /^Arguments: hashpartitioning\(status#\d+, key#\d+, \d+\)[^\n]*\nArguments: rangepartitioning\(part#\d+ ASC NULLS FIRST, (geo_region#\d+ ASC NULLS FIRST, )?user_id#\d+ ASC/, plan);
      assert.doesNotMatch(plan, /CartesianProduct|NestedLoop|SortMergeJoin|ShuffledHashJoin|PythonUDF|BatchEvalPython/);
      assert.match(nodes, /^AdaptiveSparkPlan/m);
      assert.equal(nodes.match(/MapInArrow/g)?.length, 1, nodes);
    }
  });
});
