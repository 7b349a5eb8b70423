/** Stands for Spark: a spark-submit that records what it was told, and does what FAKE_SPARK says; and a Java beside it. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Summary } from '../../lib/index.ts';

export type Deed = 'done' | 'rejected' | 'crash' | 'silent' | 'hang' | 'hang in a child' | 'done, but exit code 1';

export interface Recorded {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly settings: Readonly<Record<string, unknown>>;
  /** In the folder of the job. */
  readonly files: readonly string[];
}

export const summary = {
  output: 'totals', inputs: 1, jobs: 2, parser: 'kernel', inputBytes: 80, bytes: 80, rows: { read: 3, duplicates: 1, rejected: 0, counted: 2 }, rejectedBy: {}, rejectsFile: '_rejects.jsonl', emptyLines: 0,
  unknownRegion: 0, users: 2, regions: 1, groups: 2, files: 1, outputBytes: 900, valueScale: 0, geoDatabase: { type: 'T', buildDate: '2026-06-01T00:00:00.000Z' }, memory: { limit: 1e9, peakRss: 5e8 },
  spill: { bytes: 0, files: 0, rows: 0, splits: 0 }, runs: { made: 0, spilled: 0, merges: 0 }, seconds: 9, phases: { plan: 1, scatter: 5, reduce: 2, publish: 1 }, megabytesPerSecond: 1, rowsPerSecond: 1, state: undefined,
  report: undefined, leftBehind: [], version: '0.1.0',
} as const satisfies Summary;

const PROGRAM = `
const { spawn } = require('node:child_process');
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const args = process.argv.slice(2);
const tell = (event, more) => process.stdout.write('etl-stream: ' + JSON.stringify({ event, ...more }) + '\\n');
const settings = args.at(-1);
writeFileSync(join(__dirname, 'recorded.json'), JSON.stringify({
  args, environment: process.env, settings: JSON.parse(readFileSync(settings, 'utf8')), files: readdirSync(dirname(settings)).sort(),
}));
process.stderr.write('26/11/30 12:00:00 WARN Utils: something that nobody wants to read\\n');
tell('progress', { phase: 'scatter', seconds: 1, stage: 1, tasks: 4, tasksDone: 1 });
const deed = process.env.FAKE_SPARK;
if (deed.startsWith('done')) {
  process.stdout.write('a line of Spark\\n');
  tell('result', { summary: JSON.parse(readFileSync(join(__dirname, 'summary.json'), 'utf8')) });
  process.exitCode = deed === 'done' ? 0 : 1;
} else if (deed === 'rejected') {
  tell('error', { code: 'ETL_REJECTED', message: 'Too many rows were rejected.', hint: 'Look at them.' });
  process.exitCode = 3;
} else if (deed === 'crash') {
  process.stderr.write('26/11/30 12:00:01 ERROR TaskSetManager: Task 0 failed 4 times\\n');
  process.stdout.write('Traceback (most recent call last):\\n  File "job.py", line 1\\njava.io.IOException: No space left \\x1b[31m on device\\n\\tat java.base/Nothing\\n');
  process.exitCode = 1;
} else if (deed === 'hang') {
  process.on('SIGTERM', () => process.exit(143));
  setInterval(() => undefined, 1000);
} else if (deed === 'hang in a child') {
  const cleaned = join(__dirname, 'cleaned');
  const job = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => { require("fs").writeFileSync(process.argv[1], ""); process.exit(1); }); setInterval(() => {}, 1000); console.log("up");', cleaned], { stdio: ['ignore', 'pipe', 'ignore'] });
  job.stdout.once('data', () => { tell('started', { pid: job.pid }); tell('progress', { phase: 'reduce', seconds: 2 }); });
  process.on('SIGTERM', () => undefined);
  job.on('exit', () => process.exit(1));
}
`;

export class FakeSpark {
  readonly folder: string;
  readonly submit: string;
  /** Where temporary folders are made. */
  readonly temp: string;

  /** In a new folder below `parent`; `java`: the version that Java says it has, null: there is none. */
  constructor(parent: string, { java = '17.0.9' as string | null, name = 'spark' } = {}) {
    this.folder = join(parent, name, 'bin');
    this.submit = join(this.folder, 'spark-submit');
    this.temp = join(parent, name, 'tmp');
    for (const folder of [this.folder, this.temp]) mkdirSync(folder, { recursive: true });
    this.#script('spark-submit', `#!${process.execPath}\n${PROGRAM}`);
    if (java !== null) this.#script('java', `#!/bin/sh\necho 'openjdk version "${java}"' >&2\n`);
    writeFileSync(join(this.folder, 'summary.json'), JSON.stringify(summary));
  }

  /** As if it were of a virtual environment, with a Python. */
  makeVirtual(): void {
    writeFileSync(join(this.folder, '../pyvenv.cfg'), '');
    this.#script('python3', '#!/bin/sh\n');
  }

  /** What a process is to have that runs this Spark, and no other. */
  environment(deed: Deed = 'done'): Record<string, string> {
    return { FAKE_SPARK: deed, PATH: `${this.folder}:/usr/bin:/bin`, JAVA_HOME: join(this.folder, '..'), SPARK_HOME: '', TMPDIR: this.temp, PYSPARK_PYTHON: '', PYSPARK_DRIVER_PYTHON: '', SPARK_LOCAL_IP: '' };
  }

  recorded(): Recorded {
    return JSON.parse(readFileSync(join(this.folder, 'recorded.json'), 'utf8')) as Recorded;
  }

  isCleaned(): boolean {
    return existsSync(join(this.folder, 'cleaned'));
  }

  #script(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
    chmodSync(join(this.folder, name), 0o755);
  }
}
