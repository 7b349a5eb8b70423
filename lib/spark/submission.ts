/**
 * One run of `spark-submit`, from its start to its end: a process group of its own, so that whatever it starts ends with it. What the job
 * tells is passed on; of all else the last lines are kept, for a failure.
 *
 * SIGTERM goes to the process of the job where it has said which that is: it stops its work and clears away what it wrote, and Spark
 * ends with it. If that takes too long, or it has not said, the group is ended.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { EtlError, errorCodes, messageOf, type ErrorCode } from '../core/errors.ts';
import type { Summary } from '../summary.ts';
import type { Environment, FoundSpark } from './find-spark.ts';
import { eachLine, LastLines, messageIn, reasonIn, type JobMessage, type SparkProgress } from './protocol.ts';

const KEPT_LINES = 100;
/** For the job to clear away, and for Spark after it. */
const GRACE_MILLISECONDS = 20_000;
/** Spark takes some seconds to start, of which the job cannot tell. */
const TELL_MILLISECONDS = 500;

export interface SubmissionContext {
  readonly signal?: AbortSignal | undefined;
  onProgress?(progress: SparkProgress): void;
  /** Told what Spark said last, when it failed. */
  onLog?(lines: readonly string[]): void;
}

/** Gives what the job reports. Throws what it failed with, ETL_SPARK, ETL_SPARK_MISSING, ETL_ABORTED. */
export async function submit({ sparkSubmit, environment }: FoundSpark, args: readonly string[], context: SubmissionContext): Promise<Summary> {
  const { signal } = context;
  if (signal?.aborted) throw aborted(signal);
  const submission = new Submission(sparkSubmit, args, environment, context);
  const stop = (): void => submission.stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await submission.done();
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

class Submission {
  readonly #child: ChildProcess;
  readonly #context: SubmissionContext;
  readonly #log = new LastLines(KEPT_LINES);
  readonly #killAtExit = (): void => this.#killGroup('SIGKILL');
  readonly #began = performance.now();
  readonly #starting: NodeJS.Timeout;
  #timers: NodeJS.Timeout[] = [];
  #job: number | undefined;
  #summary: Summary | undefined;
  #failure: Extract<JobMessage, { event: 'error' }> | undefined;
  /** What a listener threw. */
  #thrown: unknown;

  constructor(program: string, args: readonly string[], environment: Environment, context: SubmissionContext) {
    this.#context = context;
    this.#child = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#starting = setInterval(() => this.#tell({ phase: 'plan', seconds: 0 }), TELL_MILLISECONDS);
    process.on('exit', this.#killAtExit); // a second signal ends this process at once
  }

  async done(): Promise<Summary> {
    const { stdout, stderr } = this.#child;
    const ended = once(this.#child, 'exit') as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
    try {
      const reading = Promise.all([
        eachLine(stdout!.setEncoding('utf8'), (line) => this.#take(line)),
        eachLine(stderr!.setEncoding('utf8'), (line) => this.#log.add(line)),
      ]);
      reading.catch(() => undefined); // told when it is waited for
      const [code, signal] = await ended.catch((cause: unknown) => {
        throw new EtlError('ETL_SPARK_MISSING', `Cannot run ${this.#child.spawnfile}: ${messageOf(cause)}.`, { cause, hint: 'Name another one by --spark-submit.' });
      });
      this.#killGroup('SIGKILL'); // what it started and left holds its output open
      await reading;
      return this.#result(code, signal);
    } finally {
      clearInterval(this.#starting);
      this.#timers.forEach(clearTimeout);
      process.off('exit', this.#killAtExit);
    }
  }

  stop(): void {
    if (this.#job !== undefined) kill(this.#job, 'SIGTERM');
    else this.#killGroup('SIGTERM');
    this.#timers = [
      setTimeout(() => this.#killGroup('SIGTERM'), GRACE_MILLISECONDS),
      setTimeout(() => this.#killGroup('SIGKILL'), 2 * GRACE_MILLISECONDS),
    ];
  }

  #take(line: string): void {
    const message = messageIn(line);
    if (message === undefined) return this.#log.add(line);
    switch (message.event) {
      case 'started': if (Number.isInteger(message.pid) && message.pid > 1) this.#job = message.pid; break;
      case 'progress':
        clearInterval(this.#starting);
        return this.#tell(message);
      case 'result': this.#summary = message.summary; break;
      case 'error': this.#failure ??= message; break;
    }
  }

  #tell({ phase, stage, tasks, tasksDone }: SparkProgress): void {
    if (this.#thrown !== undefined) return;
    try {
      this.#context.onProgress?.({ phase, seconds: (performance.now() - this.#began) / 1000, stage, tasks, tasksDone });
    } catch (error) {
      this.#thrown = error ?? new Error('a listener threw nothing');
      this.stop();
    }
  }

  #result(code: number | null, signal: NodeJS.Signals | null): Summary {
    const { signal: stop, onLog } = this.#context;
    // Published is published, whatever came of ending Spark.
    if (this.#summary) return this.#summary;
    if (this.#thrown !== undefined) throw this.#thrown;
    if (stop?.aborted) throw aborted(stop);
    const failure = this.#failure;
    if (failure && failure.code !== 'ETL_SPARK' && failure.code in errorCodes) {
      throw new EtlError(failure.code as ErrorCode, failure.message, { ...(failure.hint && { hint: failure.hint }) });
    }
    const { lines } = this.#log;
    if (lines.length > 0) onLog?.(lines);
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    const reason = failure?.message ?? `spark-submit ended ${how}${code === 0 ? ', and without a result' : ''}: ${reasonIn(lines) ?? 'it said nothing'}.`;
    throw new EtlError('ETL_SPARK', reason, { hint: failure?.hint || 'What Spark said last says more; nothing was published.' });
  }

  #killGroup(signal: NodeJS.Signals): void {
    if (this.#child.pid !== undefined) kill(-this.#child.pid, signal);
  }
}

/** Nobody there is what was wanted. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

function aborted({ reason }: AbortSignal): EtlError {
  return new EtlError('ETL_ABORTED', `The run was stopped (${messageOf(reason)}); nothing was published.`, { cause: reason });
}
