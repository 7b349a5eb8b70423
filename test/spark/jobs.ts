/** Jobs in one Spark session, one after the other: the process of jobs.py, which takes each from the folder that `etl-stream spark --emit` wrote. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import type { Summary } from '../../lib/index.ts';
import { etlStream } from '../cli/program.ts';
import { temporaryFolder } from '../temporary.ts';
import { pythonEnvironment, python, quickJava } from './python.ts';

/** As it is shipped. */
const MODULES = join(import.meta.dirname, '../../dist/lib/job/etl_stream_spark.zip');

export type JobEvent =
  | { readonly event: 'result'; readonly summary: Summary }
  | { readonly event: 'error'; readonly code: string; readonly message: string; readonly hint: string }
  | { readonly event: 'plan'; readonly text: string };

export class SparkJobs {
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #jobs = 0;

  constructor(context: TestContext) {
    this.#folder = temporaryFolder(context);
    this.#child = spawn(python, [join(import.meta.dirname, 'jobs.py')], {
      cwd: this.#folder, stdio: ['pipe', 'pipe', process.env.ETL_SPARK_LOG ? 'inherit' : 'ignore'], env: { ...process.env, ...quickJava, ...pythonEnvironment(), PYTHONPATH: MODULES },
    });
    context.after(async () => {
      this.#child.stdin!.end();
      if (this.#child.exitCode === null) await once(this.#child, 'exit');
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** The outcome of `args`, what stands behind `etl-stream spark --emit DIR`. */
  async run(args: readonly string[], cwd: string): Promise<JobEvent> {
    return this.#submit(await this.emit(args, cwd));
  }

  /** The physical plan of the same. */
  async explain(args: readonly string[], cwd: string): Promise<string> {
    const event = await this.#submit(await this.emit(args, cwd), { explain: true });
    assert.equal(event.event, 'plan', JSON.stringify(event));
    return (event as Extract<JobEvent, { event: 'plan' }>).text;
  }

  async emit(args: readonly string[], cwd: string): Promise<string> {
    const folder = join(this.#folder, `job-${++this.#jobs}`);
    const { code, stderr } = await etlStream(['spark', '--emit', folder, ...args], cwd);
    assert.equal(code, 0, stderr);
    return folder;
  }

  async #submit(folder: string, more: { explain?: true } = {}): Promise<JobEvent> {
    this.#child.stdin!.write(`${JSON.stringify({ settings: join(folder, 'settings.json'), ...more })}\n`);
    for (;;) {
      const { value, done } = await this.#lines.next() as IteratorResult<string, undefined>;
      assert.ok(!done, 'the session ended');
      if (!value.startsWith('etl-stream: ')) continue;
      const event = JSON.parse(value.slice('etl-stream: '.length)) as JobEvent | { readonly event: 'progress' };
      if (event.event !== 'progress') return event;
    }
  }
}
