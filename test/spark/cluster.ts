/** A standalone cluster on loopback: a master and workers, each with a process group of its own, ended with the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { temporaryFolder } from '../temporary.ts';
import { pythonEnvironment, quickJava, sparkHome } from './python.ts';
import { within } from './within.ts';

const KEPT_LINES = 60;

export interface Cluster {
  /** spark://127.0.0.1:PORT */
  readonly master: string;
  /** Kills a worker and its executors, at once. */
  killWorker(number: number): Promise<void>;
  /** What the master and the workers said last. */
  said(): string;
}

/** Each worker has one core and a gigabyte. It is there when all of them are known to the master. */
export async function startCluster(context: TestContext, workers: number): Promise<Cluster> {
  const folder = temporaryFolder(context);
  const home = sparkHome();
  const processes: ChildProcess[] = [];
  const told: string[] = [];
  context.after(async () => {
    await Promise.all(processes.map(end));
  });
  /** `heard`: each line that it says. */
  const start = (kind: 'master.Master' | 'worker.Worker', args: readonly string[], heard: (line: string) => void = () => undefined): ChildProcess => {
    const child = spawn(join(home, 'bin/spark-class'), [`org.apache.spark.deploy.${kind}`, '--host', '127.0.0.1', '--port', '0', '--webui-port', '0', ...args], {
      cwd: folder, detached: true, stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...quickJava, ...pythonEnvironment(), SPARK_HOME: home, SPARK_LOCAL_DIRS: folder, SPARK_NO_DAEMONIZE: '1', SPARK_DAEMON_MEMORY: '256m' },
    });
    processes.push(child);
    createInterface({ input: child.stderr! }).on('line', (line) => {
      told.push(`${kind}: ${line}`);
      if (told.length > KEPT_LINES) told.shift();
      heard(line);
    });
    return child;
  };
  const said = (): string => told.join('\n');
  let registered = 0;
  const known = new Promise<string>((resolve, reject) => {
    let url = '';
    const master = start('master.Master', [], (line) => {
      const started = /Starting Spark master at (spark:\/\/\S+)/.exec(line)?.[1];
      if (started !== undefined) {
        url = started;
        for (let number = 0; number < workers; number++) start('worker.Worker', ['--cores', '1', '--memory', '1g', '--work-dir', join(folder, `worker-${number}`), url]);
      }
      if (/Registering worker/.test(line) && ++registered === workers) resolve(url);
    });
    master.on('error', reject).on('exit', () => reject(new Error('the master ended')));
  });
  const master = await within(known, () => `the master knew ${registered} of ${workers} workers:\n${said()}`);
  return { master, killWorker: (number) => end(processes[1 + number]!), said };
}

/** With all that it started. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  process.kill(-child.pid!, 'SIGKILL');
  await ended;
}
