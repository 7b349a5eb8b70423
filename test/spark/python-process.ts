/** A Python process that takes lines and gives lines. What it says on stderr is told when it fails; one that is silent for too long is killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MODULES, python, pythonEnvironment, quickJava } from './python.ts';
import { within } from './within.ts';

const KEPT = 6000;

export class PythonProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #lines: AsyncIterator<string, undefined>;
  #errors = '';
  #isKilled = false;

  /** `script` stands beside this file; what it imports of the job is what is shipped. */
  constructor(script: string, cwd?: string) {
    // A group of its own: Java ends with it.
    this.#child = spawn(python, [join(import.meta.dirname, script)], {
      cwd, detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...quickJava, ...pythonEnvironment(), PYTHONPATH: MODULES },
    });
    this.#ended = once(this.#child, 'close');
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]() as AsyncIterator<string, undefined>;
    this.#child.stdin!.on('error', () => undefined); // that it ended is seen by what it no longer says
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-KEPT);
      if (process.env.ETL_SPARK_LOG) process.stderr.write(text);
    });
  }

  say(message: unknown): void {
    this.#child.stdin!.write(`${JSON.stringify(message)}\n`);
  }

  /** The next one. `missing` says what it means when there is none. */
  async line(missing: string): Promise<string> {
    return within(this.#next(), () => `${missing}. Python said:\n${this.#errors}`, () => this.#kill());
  }

  /** It has said all. */
  async end(): Promise<void> {
    this.#child.stdin!.end();
    await within(this.#ended, () => `Python does not end. It said:\n${this.#errors}`, () => this.#kill());
  }

  async #next(): Promise<string> {
    const { value } = await this.#lines.next();
    if (value !== undefined) return value;
    await this.#ended; // all of stderr is there then
    throw new Error(this.#isKilled ? 'it was silent for too long, and killed' : 'it ended');
  }

  #kill(): void {
    this.#isKilled = true;
    try {
      process.kill(-this.#child.pid!, 'SIGKILL');
    } catch {
      // It ended in this moment.
    }
  }
}
