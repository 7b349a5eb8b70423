/** Jobs in one Spark session, one after the other: the process of jobs.py, which takes each from the folder that `etl-stream spark --emit` wrote. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Summary } from '../../lib/index.ts';
import { etlStream } from '../cli/program.ts';
import { temporaryFolder } from '../temporary.ts';
import { PythonProcess } from './python-process.ts';

export type JobEvent =
  | { readonly event: 'result'; readonly summary: Summary }
  | { readonly event: 'error'; readonly code: string; readonly message: string; readonly hint: string }
  | { readonly event: 'plan'; readonly text: string };

export class SparkJobs {
  readonly #folder: string;
  readonly #process: PythonProcess;
  #jobs = 0;

  constructor(context: TestContext) {
    this.#folder = temporaryFolder(context);
    this.#process = new PythonProcess('jobs.py', this.#folder);
    context.after(() => this.#process.end());
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
    this.#process.say({ settings: join(folder, 'settings.json'), ...more });
    for (;;) {
      const line = await this.#process.line('a job without an end');
      if (!line.startsWith('etl-stream: ')) continue;
      const event = JSON.parse(line.slice('etl-stream: '.length)) as JobEvent | { readonly event: 'progress' };
      if (event.event !== 'progress') return event;
    }
  }
}
