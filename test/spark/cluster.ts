/** A standalone cluster on loopback: a master and workers, each with a process group of its own, ended with the test. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { temporaryFolder } from '../temporary.ts';
import { pythonEnvironment, quickJava, sparkHome } from './python.ts';

export interface Cluster {
  /** spark://127.0.0.1:PORT */
  readonly master: string;
  /** Kills a worker and its executors, at once. */
  killWorker(number: number): Promise<void>;
}

/** Each worker has one core and a gigabyte. It is there when all of them are known to the master. */
export async function startCluster(context: TestContext, workers: number): Promise<Cluster> {
  const folder = temporaryFolder(context);
  const processes: ChildProcess[] = [];
  context.after(async () => {
    await Promise.all(processes.map(end));
  });
  const start = (kind: 'master.Master' | 'worker.Worker', ...args: string[]): ChildProcess => {
    const child = spawn(join(sparkHome(), 'bin/spark-class'), [`org.apache.spark.deploy.${kind}`, '--host', '127.0.0.1', '--port', '0', '--webui-port', '0', ...args], {
      cwd: folder, detached: true, stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...quickJava, ...pythonEnvironment(), SPARK_HOME: sparkHome(), SPARK_LOCAL_DIRS: folder, SPARK_NO_DAEMONIZE: '1', SPARK_DAEMON_MEMORY: '256m' },
    });
    processes.push(child);
    return child;
  };
  const master = start('master.Master');
  let url: string | undefined;
  let registered = 0;
  const told: string[] = [];
  for await (const line of createInterface({ input: master.stderr! })) {
    told.push(line);
    const started = /Starting Spark master at (spark:\/\/\S+)/.exec(line)?.[1];
    if (started !== undefined) {
      url = started;
      for (let number = 0; number < workers; number++) start('worker.Worker', '--cores', '1', '--memory', '1g', '--work-dir', join(folder, `worker-${number}`), url).stderr!.resume();
    }
    if (/Registering worker/.test(line) && ++registered === workers) break;
  }
  assert.ok(url !== undefined && registered === workers, told.join('\n'));
  master.stderr!.resume(); // a full pipe would stop it
  return { master: url, killWorker: (number) => end(processes[1 + number]!) };
}

/** With all that it started. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  process.kill(-child.pid!, 'SIGKILL');
  await ended;
}
