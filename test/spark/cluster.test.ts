/**
 * The command on a standalone cluster of one master and two workers, on loopback: the result of a local run, and the same when a worker is killed
 * while the job reads.
 */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateLogs } from '../../lib/generate/generate.ts';
import type { Summary } from '../../lib/index.ts';
import { etlStream, start } from '../cli/program.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { temporaryFolder } from '../temporary.ts';
import { startCluster } from './cluster.ts';
import { everyRule } from './every-rule.ts';
import { pythonEnvironment, quickJava, skip, sparkSubmit } from './python.ts';
import { assertSame } from './same.ts';
import { within } from './within.ts';

const library = await import('../../dist/lib/index.js' as string) as typeof import('../../lib/index.ts');
/** Executors of half a gigabyte: the machine has other things to do. */
const CONF = ['spark.executor.memory=600m', 'spark.driver.memory=600m', 'spark.driver.host=127.0.0.1', 'spark.driver.bindAddress=127.0.0.1', 'spark.ui.enabled=false'];

test('a cluster', { skip }, async (context) => {
  const folder = temporaryFolder(context);
  const cluster = await startCluster(context, 2);
  // Few regions: that of each file which Hadoop makes on a local disk is a process.
  writeFileSync(join(folder, 'geo.mmdb'), writeMmdb({
    recordSize: 24, ipVersion: 6, networks: [['0.0.0.0/1', { country_code: 'LO' }], ['128.0.0.0/2', { country_code: 'MI' }], ['2a00::/12', { country_code: 'SI' }]],
  }));
  const local = async (output: string, args: readonly string[]): Promise<{ folder: string; summary: Summary }> => {
    const { code, stdout, stderr } = await etlStream([...args, '--no-state', '--no-config', '--json', '--quiet', '-o', output], folder);
    assert.equal(code, 0, stderr);
    return { folder: join(folder, output), summary: JSON.parse(stdout) as Summary };
  };

  await context.test('the command: every reason and rule, quoted line ends, IPv6', async () => {
    const { files, options } = everyRule();
    mkdirSync(join(folder, 'rules'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'rules', name), text);
    const args = ['rules', ...options, '--max-rejects', '100%', '--geo-db', 'geo.mmdb'];
    const { child, result } = start([
      'run', '--engine', 'spark', '--master', cluster.master, '--spark-submit', sparkSubmit, ...CONF.flatMap((each) => ['--conf', each]), ...args, '--no-config', '--json', '-o', 'rules-spark',
    ], folder, undefined, { ...quickJava, ...pythonEnvironment() });
    const { code, stdout, stderr } = await within(result, () => `the command. The cluster said:\n${cluster.said()}`, () => child.kill('SIGTERM'));
    assert.equal(code, 0, `${stderr}\n${cluster.said()}`);
    await assertSame({ folder: join(folder, 'rules-spark'), summary: JSON.parse(stdout) as Summary }, await local('rules-local', args));
  });

  await context.test('a worker is killed in the middle', async () => {
    await generateLogs({ folder: join(folder, 'logs'), size: 4e6, files: 16, users: 8000, duplicates: 0.2, badRows: 0.005 });
    let killed: Promise<void> | undefined;
    const events = new EventEmitter().on('progress', ({ tasks, tasksDone }: { tasks?: number; tasksDone?: number }) => {
      if (tasks !== undefined && tasks >= 16 && tasksDone! >= 1) killed ??= cluster.killWorker(0);
    });
    Object.assign(process.env, quickJava, pythonEnvironment());
    const stop = new AbortController();
    const running = library.runOnSpark(
      { inputs: [join(folder, 'logs')], output: join(folder, 'logs-spark'), geoDb: join(folder, 'geo.mmdb') }, { master: cluster.master, sparkSubmit, conf: CONF }, { events, signal: stop.signal },
    );
    const summary = await within(running, () => `the library. The cluster said:\n${cluster.said()}`, () => stop.abort());
    await killed;
    assert.ok(killed, 'no worker was killed: the job was done before that');
    assert.ok(summary.spark!.failedTasks > 0, `no task was lost: ${JSON.stringify(summary.spark)}`);
    await assertSame({ folder: join(folder, 'logs-spark'), summary }, await local('logs-local', [join(folder, 'logs'), '--geo-db', 'geo.mmdb']));
    const { code, stderr } = await etlStream(['verify', 'logs-spark'], folder);
    assert.equal(code, 0, stderr);
  });
});
