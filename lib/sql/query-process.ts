/** The process of DuckDB as its session has it: requests and their answers, by number, and its end, however it comes. */
import { fork, type ChildProcess } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError, nextSteps } from '../core/errors.ts';
import type { Answer, Asked, Failure } from './messages.ts';
import type { Limits, QuerySource } from './source.ts';

/**
 * Of DuckDB's allocator, jemalloc: what is freed goes back to the system at once. Else it keeps for ten seconds what it was given, up to 2.5 times DuckDB's own limit;
 * that is a third faster, and no limit of what is resident could hold but by ending the process.
 */
const GIVES_BACK = 'dirty_decay_ms:0,muzzy_decay_ms:0';
/** What an interrupted query has to end. */
export const KILL_AFTER_MS = 1000;
/** A process that has more than this share of what it may have for queries, when there are none, is not used again: what allocators keep would be missing for the next one. */
const WORN_FROM = 0.75;

interface Waiting {
  /** Whose request it is; undefined: of none. */
  readonly query: number | undefined;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export class QueryProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  readonly #memory: number;
  #base = 0;
  #queries = 0;
  #requests = 0;
  /** Why it ended. */
  #end: EtlError | undefined;

  private constructor(child: ChildProcess, memory: number) {
    this.#child = child;
    this.#memory = memory;
    child.on('message', (answer: Answer) => this.#take(answer));
    child.on('error', (cause) => this.#fail(new EtlError('ETL_SQL', `The process of DuckDB could not be started: ${cause.message}.`, { cause })));
    this.#exited = new Promise((resolve) => {
      child.on('error', () => resolve());
      child.on('exit', (code, signal) => {
        this.#fail(new EtlError('ETL_SQL', `The process of DuckDB ended in the middle of a query (${signal ?? `exit code ${code}`}).`, { hint: 'The next query has another one; if it comes again, ask for less at a time.' }));
        resolve();
      });
    });
    child.unref();
    child.channel?.unref();
  }

  /** Throws as QuerySession.start does. */
  static async start(source: QuerySource, limits: Limits, exportFiles: readonly string[]): Promise<QueryProcess> {
    await removeSpilled(limits.temp);
    const entry = entryPath();
    const child = fork(entry, [], {
      cwd: source.folder,
      env: environment(),
      execArgv: ['--expose-gc', '--max-old-space-size=128', '--max-semi-space-size=2', ...(entry.pathname.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [])],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const started = new QueryProcess(child, limits.memory);
    try {
      const { bytes } = await started.ask({ kind: 'open', source, limits, exportFiles }) as Extract<Answer, { kind: 'opened' }>;
      started.#base = bytes;
      return started;
    } catch (error) {
      await started.kill();
      throw error;
    }
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Throws what the process says of it, or ETL_SQL when it ends before it answers. */
  ask(request: Asked): Promise<Answer> {
    if (this.#end) return Promise.reject(this.#end);
    const number = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { query: request.kind === 'open' || request.kind === 'cancel' ? undefined : request.query, resolve, reject });
      // Only while somebody waits for it does it keep this process alive.
      this.#child.channel?.ref();
      this.#child.send({ ...request, number }, (error) => {
        if (error) this.#fail(new EtlError('ETL_SQL', 'The process of DuckDB has ended.', { cause: error }));
      });
    });
  }

  /** To be called before a query's first request; then `end` ends it. */
  begin(): void {
    this.#queries++;
  }

  /** Ends a query, or, if it does not end in time, the process, for the reason given. */
  async end(query: number, reason: EtlError | undefined): Promise<void> {
    const timer = setTimeout(() => void this.kill(reason), KILL_AFTER_MS);
    const answer = await this.ask({ kind: 'cancel', query }).catch(() => undefined) as Extract<Answer, { kind: 'cancelled' }> | undefined;
    clearTimeout(timer);
    for (const [number, waiting] of this.#waiting) {
      if (waiting.query !== query) continue;
      this.#waiting.delete(number);
      waiting.reject(reason ?? new EtlError('ETL_ABORTED', 'The query was stopped.'));
    }
    this.#queries--;
    if (answer && this.#queries === 0 && answer.bytes - this.#base > (this.#memory - this.#base) * WORN_FROM) await this.kill();
  }

  /** What is asked fails with `reason`. When this is done, there is no such process. */
  async kill(reason = new EtlError('ETL_SQL_LIMIT', 'The process of DuckDB was ended, since another query could not be stopped.', { hint: 'Ask again.' })): Promise<void> {
    this.#fail(reason);
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    this.#child.ref(); // else the process that waits here could end before
    await this.#exited;
  }

  #take(answer: Answer): void {
    if (answer.kind === 'memory') return this.#fail(outOfMemory());
    const waiting = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    if (this.#waiting.size === 0) this.#child.channel?.unref();
    if (answer.kind === 'failed') waiting?.reject(errorOf(answer.error));
    else waiting?.resolve(answer);
  }

  #fail(reason: EtlError): void {
    this.#end ??= reason;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#child.channel?.unref();
    for (const { reject } of waiting) reject(this.#end);
  }
}

function outOfMemory(): EtlError {
  return new EtlError('ETL_SQL_LIMIT', 'The query needs more memory than it may have.', { hint: 'Ask for less at a time, or allow it more memory.' });
}

function errorOf({ kind, message, hint }: Failure): EtlError {
  if (kind === 'missing') {
    return new EtlError('ETL_SQL_MISSING', 'Queries need DuckDB, which is not installed.', { cause: new Error(message), hint: nextSteps.ETL_SQL_MISSING });
  }
  if (kind === 'memory') return outOfMemory();
  return new EtlError('ETL_SQL', message, hint === undefined ? {} : { hint });
}

/** What a process that was killed had spilled. */
async function removeSpilled(folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (name.startsWith('duckdb_temp_')) await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
}

/** Tests that come just after a build may have what was built. */
function entryPath(): URL {
  const isSource = import.meta.url.endsWith('.ts');
  if (isSource && process.env.ETL_TEST_BUILT === '1') return new URL('../../dist/lib/sql-process.js', import.meta.url);
  return new URL(isSource ? './process.ts' : './sql-process.js', import.meta.url);
}

/** Nothing of this process's but what its system needs to load a library. */
function environment(): NodeJS.ProcessEnv {
  const needed = ['SystemRoot', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH'].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  return { ...Object.fromEntries(needed), TZ: 'UTC', MALLOC_ARENA_MAX: '2', DUCKDB_JE_MALLOC_CONF: GIVES_BACK };
}
