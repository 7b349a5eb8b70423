/** The command line around a job on Spark, with a stand-in for Spark: what it is told, what comes of what it tells, what is refused, and what is left. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SparkFacts } from '../../lib/cli/progress/spark-facts.ts';
import { EtlError, type RunOptions, type SparkProgress } from '../../lib/index.ts';
import { refusals, refuse } from '../../lib/spark/refusals.ts';
import { isHere, submitArguments, validateSparkOptions, type SparkOptions } from '../../lib/spark/spark-options.ts';
import { LastLines, reasonIn } from '../../lib/spark/protocol.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { temporaryFolder } from '../temporary.ts';
import { FakeSpark, summary, type Deed } from './fake-spark.ts';
import { etlStream, start } from './program.ts';
import { residentProgram } from './resident.ts';

const resident = residentProgram();

const LOG = 'log_id,user_id,timestamp,ip_address,watch_time(min)\na,u,2026-11-29,80.1.2.3,1\n';

interface Prepared {
  readonly folder: string;
  readonly spark: FakeSpark;
  /** With this Spark, and a small database: of a large one each job has a second to write. */
  environment(deed?: Deed): Record<string, string>;
  run(args: readonly string[], deed?: Deed): ReturnType<typeof resident>;
}

function prepared(t: TestContext): Prepared {
  const folder = temporaryFolder(t);
  const spark = new FakeSpark(folder);
  writeFileSync(join(folder, 'a.csv'), LOG);
  writeFileSync(join(folder, 'small.mmdb'), writeMmdb({ recordSize: 24, ipVersion: 4, networks: [['80.0.0.0/8', { country_code: 'DE' }]] }));
  const environment = (deed?: Deed): Record<string, string> => ({ ...spark.environment(deed), ETL_STREAM_GEO_DB: join(folder, 'small.mmdb') });
  return { folder, spark, environment, run: (args, deed) => resident(['run', '--engine', 'spark', ...args], folder, environment(deed)) };
}

test('what spark-submit is told, and what the job is', async (t) => {
  const { folder, spark, run } = prepared(t);
  spark.makeVirtual();
  const rules = ['--rule', 'user_id:pattern=[a-z]+', '--glob', '**/*.log'];
  const { code, stderr, stdout } = await resident(['a.csv', 's3a://in/logs/', '--engine', 'spark', '-o', 'out', '--master', 'local[2]', '--conf', 'spark.a.b=1 2\n3', '--conf', 'spark.sql.adaptive.enabled=false', '--value-scale', '2', ...rules], folder, spark.environment());
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /^read +3 /m);
  assert.ok(!stderr.includes('nobody wants to read'));
  const { args, settings, files, environment } = spark.recorded();
  assert.deepEqual(files.filter((name) => !name.startsWith('.')), ['etl_stream_spark.zip', 'job.py', 'ranges', 'settings.json']);
  const [job, settingsPath] = args.slice(-2);
  assert.deepEqual(args.slice(0, 2), ['--master', 'local[2]']);
  assert.deepEqual(args.slice(-4, -2), ['--py-files', job!.replace('job.py', 'etl_stream_spark.zip')]);
  assert.equal(settingsPath, job!.replace('job.py', 'settings.json'));
  const conf = args.flatMap((arg, at) => (args[at - 1] === '--conf' ? [arg] : []));
  assert.deepEqual(conf.slice(-2), ['spark.a.b=1 2\n3', 'spark.sql.adaptive.enabled=false'], 'those of the user are the last, as they were said');
  assert.ok(conf.indexOf('spark.sql.adaptive.enabled=true') < conf.length - 2);
  assert.deepEqual([settings.inputs, settings.names], [[join(folder, 'a.csv'), 's3a://in/logs/'], ['a.csv', 's3a://in/logs/']]);
  assert.deepEqual([settings.output, settings.outputName, settings.valueScale, settings.overwrite], [join(folder, 'out'), 'out', 2, false]);
  const { check } = (settings.rules as { check: Record<string, unknown> }[]).at(-1)!;
  assert.deepEqual([check.pattern, typeof check.java], ['[a-z]+', 'string']);
  assert.ok((settings.geo as { regions: string[] }).regions.includes('ZZ'));
  const python = join(spark.folder, 'python3');
  assert.deepEqual([environment.PYSPARK_PYTHON, environment.PYSPARK_DRIVER_PYTHON, environment.SPARK_LOCAL_IP], [python, python, '127.0.0.1']);
  assert.deepEqual(readdirSync(spark.temp), [], 'nothing is left');

  const json = await run(['a.csv', '--master', 'yarn', '--json', '-q', '--metrics-file', 'm.prom', '-o', 's3a://out']);
  assert.deepEqual(JSON.parse(json.stdout), JSON.parse(JSON.stringify(summary)));
  assert.match(readFileSync(join(folder, 'm.prom'), 'utf8'), /etl_stream_last_run_success\{output="s3a:\/\/out"\} 1/);
  assert.equal(spark.recorded().environment.PYSPARK_PYTHON, '', 'workers of other machines have a Python of their own');
});

test('a plain etl-stream has the same option, and a file or the environment may say it', async (t) => {
  const { folder, spark, environment: of } = prepared(t);
  writeFileSync(join(folder, 'etl-stream.config.json'), JSON.stringify({ master: 'spark://h:1', conf: ['spark.x=1'] }));
  const environment = of();
  assert.equal((await etlStream(['a.csv', '--engine', 'spark', '-q'], folder, '', environment)).code, 0);
  assert.deepEqual(spark.recorded().args.slice(0, 2), ['--master', 'spark://h:1']);
  assert.equal((await resident(['a.csv', '-q'], folder, { ...environment, ETL_STREAM_ENGINE: 'spark', ETL_STREAM_CONF: 'spark.y=1\nspark.z=2' })).code, 0);
  assert.deepEqual(spark.recorded().args.filter((arg) => /^spark\.[xyz]=/.test(arg)), ['spark.y=1', 'spark.z=2']);
  const local = await resident(['run', 'a.csv', '--no-state', '-q', '-o', 'local'], folder, environment);
  assert.equal(local.code, 0, local.stderr);
  const refused = await resident(['a.csv', '--conf', 'spark.x=1'], folder, environment);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /--conf says how Spark is reached.*\n.*--engine spark/);
});

test('what a job fails with: the same codes, sentences and exit codes; of a crash what Spark said last', async (t) => {
  const { folder, spark, environment, run } = prepared(t);
  const rejected = await run(['a.csv'], 'rejected');
  assert.equal(rejected.code, 3);
  assert.equal(rejected.stderr, 'etl-stream: Too many rows were rejected. [ETL_REJECTED]\n  Look at them.\n');
  const crash = await run(['a.csv'], 'crash');
  assert.equal(crash.code, 1);
  assert.match(crash.stderr, /Task 0 failed 4 times/);
  assert.match(crash.stderr, /spark-submit ended with exit code 1: java\.io\.IOException: No space left \\x1b\[31m on device\. \[ETL_SPARK\]\n/);
  assert.ok(!crash.stderr.includes('\x1b'));
  const json = (await etlStream(['a.csv', '--engine', 'spark', '--log-format', 'json'], folder, '', environment('crash'))).stderr.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.ok(json.some(({ log }) => Array.isArray(log) && log.length > 3));
  assert.equal(json.at(-1)!.code, 'ETL_SPARK');
  const silent = await run(['a.csv'], 'silent');
  assert.match(silent.stderr, /exit code 0, and without a result: .* \[ETL_SPARK\]/);
  assert.equal((await run(['a.csv', '-q'], 'done, but exit code 1')).code, 0, 'it is published');
  assert.deepEqual(readdirSync(spark.temp), []);
});

for (const [deed, signal, code] of [['hang', 'SIGINT', 130], ['hang in a child', 'SIGTERM', 143]] as const) {
  test(`${signal} stops a job, waits for it, and leaves nothing: ${deed}`, async (t) => {
    const { folder, spark, environment } = prepared(t);
    const { child, result } = start(['a.csv', '--engine', 'spark', '--log-format', 'json'], folder, undefined, environment(deed));
    const phase = deed === 'hang' ? 'phase scatter' : 'phase reduce';
    for (let told = ''; !told.includes(phase);) told += String((await once(child.stderr!, 'data'))[0]);
    child.kill(signal);
    assert.equal((await result).code, code);
    assert.equal(spark.isCleaned(), deed !== 'hang');
    assert.deepEqual(readdirSync(spark.temp), []);
  });
}

test('without Spark, or the Java that it needs, it is said what to install', async (t) => {
  const { folder, spark } = prepared(t);
  const run = (environment: Record<string, string>, ...args: string[]) => resident(['a.csv', '--engine', 'spark', ...args], folder, { ...spark.environment(), ...environment });
  const old = new FakeSpark(folder, { java: '11.0.2', name: 'old' });
  const none = new FakeSpark(folder, { java: null, name: 'none' });
  const nothing = join(folder, 'nothing');
  for (const [result, message, hint] of [
    [run({ PATH: nothing }), /no spark-submit on PATH/, /pip install pyspark/],
    [run({ SPARK_HOME: nothing }), /SPARK_HOME is .*nothing/, /pip install/],
    [run({}, '--spark-submit', 'a.csv'), /--spark-submit a\.csv is no program/, /pip install/],
    [run({ JAVA_HOME: nothing }), /JAVA_HOME is .*nothing.* cannot be run/, /openjdk-17/],
    [run({ JAVA_HOME: join(old.folder, '..') }), /Java 17 or later, and .* is Java 11/, /openjdk-17/],
    [run({ JAVA_HOME: '', PATH: none.folder }), /needs Java, and there is none/, /openjdk-17/],
  ] as const) {
    const { code, stderr } = await result;
    const [first = '', second = ''] = stderr.split('\n');
    assert.deepEqual([code, first.endsWith('[ETL_SPARK_MISSING]')], [1, true], stderr);
    assert.match(first, message);
    assert.match(second, hint);
  }
});

test('what Spark cannot do is refused, each with a reason and what to say instead', async (t) => {
  const inputs = ['x'];
  const cases: Readonly<Record<string, [refused: Partial<RunOptions>, taken: Partial<RunOptions>]>> = {
    memory: [{ memory: 1e9 }, {}], jobs: [{ jobs: 2 }, {}], temp: [{ temp: '/t' }, {}], maxSpill: [{ maxSpill: 1 }, {}],
    state: [{ state: 's' }, { state: false }], checkpoint: [{ checkpoint: 1e9 }, {}], dedupWindow: [{ dedupWindow: 1000 }, {}], sniff: [{ sniff: true }, { sniff: false }],
    onError: [{ onError: 'repair' }, { onError: 'fail' }], encoding: [{ encoding: 'utf-16le' }, { encoding: 'latin1' }], dialect: [{ dialect: { escape: '\\' } }, { dialect: { escape: "'", quote: "'" } }],
    inputs: [{ inputs: ['x', '-'] }, {}],
  };
  assert.deepEqual(Object.keys(cases).sort(), refusals.map(({ option }) => option).sort());
  for (const [option, [refused, taken]] of Object.entries(cases)) {
    assert.throws(() => refuse({ inputs, ...refused }), (error) => error instanceof EtlError && error.code === 'ETL_USAGE' && error.message.endsWith('.') && error.hint!.length > 20, option);
    refuse({ inputs, ...taken });
  }
  const { folder, spark, run } = prepared(t);
  writeFileSync(join(folder, 'etl-stream.config.json'), '{ "jobs": 3 }');
  const said = await run(['a.csv']);
  assert.equal(said.code, 2);
  assert.match(said.stderr, /--jobs is a number of threads.*\[ETL_USAGE\]\n  It is said by jobs in etl-stream\.config\.json\. Say it by --master/);
  assert.match((await run(['a.csv', '--no-config', '--explain'])).stderr, /--explain tells of threads/);
  const missing = await run(['nope.csv', '--no-config']);
  assert.match(missing.stderr, /Cannot find the input nope\.csv: ENOENT.*\[ETL_INPUT_NOT_FOUND\]/);
  const emitted = await resident(['spark', '--emit', 'job', 'a.csv', '--memory', '1GB', '--no-config'], folder, spark.environment());
  assert.match(emitted.stderr, /--memory limits this process/);
  assert.ok(!existsSync(join(folder, 'job')) && !existsSync(join(spark.folder, 'recorded.json')));
});

test('hostile words reach spark-submit as one argument each, or not at all', () => {
  const refused: SparkOptions[] = [
    { master: '--class' }, { master: 'local\n--x' }, { master: '' }, { master: 'a b' }, { conf: ['x=1'] }, { conf: ['spark.x'] }, { conf: ['--spark.x=1'] }, { conf: ['=spark.x'] }, { conf: ['spark.a b=1'] },
    { conf: ['spark.a=\0'] }, { sparkSubmit: '' }, { sparkSubmit: 'a\0b' }, { conf: ['spark.submit.deployMode=cluster'] }, { conf: 'spark.a=1' as unknown as string[] },
  ];
  for (const options of refused) assert.throws(() => validateSparkOptions(options), { code: 'ETL_USAGE' }, JSON.stringify(options));
  const conf = ['spark.x=--master\nlocal', 'spark.y=', 'spark.z=a=b', 'spark.submit.deployMode=client', 'spark.q=$(rm -rf x)'];
  validateSparkOptions({ master: 'k8s://https://h:6443', conf });
  const args = submitArguments({ conf }, { job: '/j', package: '/p', settings: '/s' });
  assert.deepEqual(args.filter((arg) => conf.includes(arg)), conf);
  assert.ok(!args.includes('--master'), 'what Spark is configured with holds');
  for (const [master, here] of [[undefined, true], ['local', true], ['local[*]', true], ['spark://127.0.0.1:7077', true], ['spark://h:7077', false], ['yarn', false]] as const) assert.equal(isHere({ master }), here, master);
  assert.equal(isHere({ conf: ['spark.master=yarn'] }), false);
});

test('a job on Spark is shown by its phase and the tasks of its stage', () => {
  const tell = (progress: SparkProgress): string[] => new SparkFacts().tell(progress).facts.facts.map(({ long }) => long);
  assert.deepEqual(tell({ phase: 'plan', seconds: 3 }), ['plan', 'for 0:03']);
  assert.deepEqual(tell({ phase: 'scatter', seconds: 63, stage: 4, tasks: 1200, tasksDone: 300 }), ['scatter, stage 4', '300 of 1,200 tasks', 'for 1:03']);
  assert.equal(new SparkFacts().tell({ phase: 'reduce', seconds: 1, stage: 0, tasks: 4, tasksDone: 1 }).facts.share, 0.25);
});

test('of a log, the last lines, and of frames the first ones', () => {
  const log = new LastLines(4);
  for (let at = 0; at < 50; at++) log.add(`line ${at}`);
  assert.deepEqual(log.lines, ['line 46', 'line 47', 'line 48', 'line 49']);
  for (let at = 0; at < 50; at++) log.add(`\tat org.apache.spark.X$Y.$anonfun$run$4(X.scala:${at})`);
  log.add('');
  log.add('Caused by: nothing');
  assert.deepEqual(log.lines.map((line) => line.trim().slice(0, 9)), ['at org.ap', 'at org.ap', 'at org.ap', 'Caused by']);
});

test('of a log of a failure, the sentence that says something', () => {
  assert.equal(reasonIn(['26/11/30 12:00:00 ERROR X: a', 'Caused by: java.lang.OutOfMemoryError: Java heap space', '\tat a.b(C.java:1)', '\t... 3 more', '26/11/30 12:00:01 INFO ShutdownHookManager: bye']), 'Caused by: java.lang.OutOfMemoryError: Java heap space');
  assert.equal(reasonIn(['26/11/30 12:00:00 WARN X: last words.', '']), 'X: last words');
  assert.equal(reasonIn([]), undefined);
});

test('a job is written for others to submit, in a folder that is new, empty, or one of a job', async (t) => {
  const { folder, spark, environment } = prepared(t);
  const emit = (...args: string[]) => resident(['spark', '--emit', 'job', 's3a://in/logs', '-o', 'hdfs://h/out', ...args], folder, environment());
  mkdirSync(join(folder, 'job'));
  const first = await emit();
  assert.equal(first.code, 0, first.stderr);
  const contents = (): string[] => readdirSync(join(folder, 'job')).sort();
  assert.deepEqual(contents(), ['README.md', 'etl_stream_spark.zip', 'job.py', 'ranges', 'settings.json']);
  assert.ok(readdirSync(join(folder, 'job/ranges')).includes('ranges.json'));
  const readme = readFileSync(join(folder, 'job/README.md'), 'utf8');
  for (const word of ['`s3a://in/logs`', '`hdfs://h/out`', 'spark-submit', 'EMR', 'Dataproc', 'Databricks', 'Livy', 'pandas', '--input']) assert.ok(readme.includes(word), word);
  const settings = (): Record<string, unknown> => JSON.parse(readFileSync(join(folder, 'job/settings.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual([settings().run, settings().inputs, settings().output], ['', ['s3a://in/logs'], 'hdfs://h/out']);
  const again = await emit();
  assert.match(again.stderr, /The folder job exists already, with a job\. \[ETL_OUTPUT_EXISTS\]\n.*--overwrite/);
  const replaced = await emit('--overwrite', '--json');
  assert.deepEqual(JSON.parse(replaced.stdout), { folder: join(folder, 'job') });
  assert.equal(settings().overwrite, true);
  writeFileSync(join(folder, 'job/mine.txt'), '');
  assert.match((await emit('--overwrite')).stderr, /never replaced: it holds mine\.txt/);
  assert.ok(contents().includes('mine.txt'));
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('.')), [], 'nothing is left beside it');
  assert.equal((await resident(['spark', 's3a://x'], folder, spark.environment())).code, 2);
  assert.match((await resident(['spark', '--emit', 'new'], folder, spark.environment())).stderr, /No input is named/);
});
