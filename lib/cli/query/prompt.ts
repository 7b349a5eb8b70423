/**
 * The prompt on a terminal: statements that end with `;`, over as many lines as they need, and some commands that begin with a dot. Each statement reads one snapshot of the dataset; when
 * another one was published since the last, the next statement moves to it, and a line says so. Ctrl+C clears what was entered, or cancels the query that is under way.
 */
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { EtlError } from '../../core/errors.ts';
import { count } from '../../core/figures.ts';
import { packageVersion } from '../../core/version.ts';
import type { DatasetQueries } from '../../index.ts';
import type { Paint } from '../color.ts';
import { EXIT_DONE, EXIT_SIGNAL, reportError, StoppedBySignal, type StopSignal } from '../exit.ts';
import { tell, tellBlock } from '../messages.ts';
import { printable } from '../printable.ts';
import { answer } from './answer.ts';
import { complete, readCatalog, type CatalogTable } from './catalog.ts';
import { standardOutput } from './destination.ts';
import { dotCommand } from './dot-commands.ts';
import { formats, type Format, type TextFormat } from './format.ts';
import { History } from './history.ts';
import { isBlank, statementEnd } from './statement.ts';

const FIRST = 'sql> ';
const NEXT = '  -> ';

export interface PromptOptions {
  /** The dataset as it is now. */
  open(): Promise<DatasetQueries>;
  readonly format: Format;
  readonly paint: Paint;
  readonly seconds?: number | undefined;
}

interface ShownOptions extends PromptOptions {
  /** The prompt has to end. */
  readonly stop: AbortSignal;
}

/** Gives the exit code, when the user leaves or a signal ends it. */
export async function prompt(options: PromptOptions): Promise<number> {
  if (options.format === 'parquet') throw new EtlError('ETL_USAGE', 'A prompt shows no Parquet.', { hint: 'Say the SQL behind the dataset, and name a file with -o.' });
  const stop = new AbortController();
  let stopped: StopSignal | undefined;
  const leave = (signal: StopSignal): void => {
    if (stopped !== undefined) process.exit(EXIT_SIGNAL[signal]);
    stopped = signal;
    stop.abort(new StoppedBySignal(signal));
  };
  const names = Object.keys(EXIT_SIGNAL) as StopSignal[];
  for (const name of names) process.on(name, leave);
  try {
    const queries = await options.open();
    process.off('SIGINT', leave); // from here on a key
    if (stopped !== undefined) await queries.close(); // there may be no terminal
    else await ask(queries, { ...options, stop: stop.signal }, options.format);
  } finally {
    for (const name of names) process.off(name, leave);
  }
  // The terminal is gone: Node 20 would fail to set it back.
  if (stopped === 'SIGHUP') process.kill(process.pid, stopped);
  return stopped === undefined ? EXIT_DONE : EXIT_SIGNAL[stopped];
}

async function ask(queries: DatasetQueries, options: ShownOptions, format: TextFormat): Promise<void> {
  const shown = new Prompt(queries, format, options);
  await shown.run().finally(() => shown.close());
}

class Prompt {
  #queries: DatasetQueries;
  #format: TextFormat;
  readonly #options: ShownOptions;
  readonly #history = History.open();
  readonly #terminal: Interface;
  #tables: CatalogTable[] = [];
  /** What was entered of a statement that has no end yet. */
  #begun = '';
  /** Lines that came while something else was done: text that was pasted. */
  readonly #lines: string[] = [];
  #isLeft = false;

  constructor(queries: DatasetQueries, format: TextFormat, options: ShownOptions) {
    this.#queries = queries;
    this.#format = format;
    this.#options = options;
    this.#terminal = createInterface({
      input: process.stdin, output: process.stdout, terminal: true, tabSize: 4,
      completer: (line: string) => complete(line, this.#tables, formats.filter((name) => name !== 'parquet')),
      history: [...this.#history.entries],
    });
    // Of readline's own list: statements are its entries, not lines.
    this.#terminal.on('history', (lines: string[]) => lines.splice(0, lines.length, ...this.#history.entries));
    // Of a statement of several lines that is recalled, Node 24 gives the lines with other ends.
    this.#terminal.on('line', (line) => this.#lines.push(line.replace(/\r\n?/g, '\n')));
    this.#terminal.on('close', () => (this.#isLeft = true));
    this.#terminal.on('SIGINT', () => this.#clear());
  }

  /** Until the user leaves, or is made to. */
  async run(): Promise<void> {
    const { stop } = this.#options;
    const close = (): void => this.#terminal.close();
    stop.addEventListener('abort', close);
    try {
      if (stop.aborted) return;
      this.#tables = await readCatalog(this.#queries);
      tellBlock(`etl-stream ${packageVersion()}: a statement ends with ;  .help says more, .exit leaves\n`, 'a prompt', {});
      for (let line = await this.#nextLine(); line !== undefined; line = await this.#nextLine()) {
        if (await this.#take(line)) break;
      }
    } finally {
      stop.removeEventListener('abort', close);
      close();
    }
  }

  async close(): Promise<void> {
    await this.#queries.close();
  }

  /** undefined: the user has left. */
  async #nextLine(): Promise<string | undefined> {
    if (this.#lines.length === 0 && !this.#isLeft) {
      this.#terminal.setPrompt(this.#begun === '' ? FIRST : NEXT);
      this.#terminal.prompt();
      const done = new AbortController();
      await Promise.race(['line', 'close'].map((event) => once(this.#terminal, event, { signal: done.signal }).catch(() => undefined)));
      done.abort();
      if (this.#isLeft && !this.#options.stop.aborted) process.stdout.write('\n'); // behind the prompt that Ctrl+D left
    }
    return this.#isLeft ? undefined : this.#lines.shift();
  }

  /** Whether that was the end. */
  async #take(line: string): Promise<boolean> {
    const isFirst = this.#begun === '';
    if (isFirst && /^\s*(exit|quit|\.exit|\.quit)\s*;?\s*$/i.test(line)) return true;
    if (isFirst && /^\s*\./.test(line)) {
      this.#remember(line.trim());
      this.#format = dotCommand(line.trim(), { format: this.#format, tables: this.#tables, paint: this.#options.paint });
      return false;
    }
    this.#begun += isFirst ? line : `\n${line}`;
    const statements: string[] = [];
    for (let end = statementEnd(this.#begun); end !== undefined; end = statementEnd(this.#begun)) {
      statements.push(this.#begun.slice(0, end).trim());
      this.#begun = this.#begun.slice(end);
    }
    if (isBlank(this.#begun)) this.#begun = '';
    for (const statement of statements) {
      if (isBlank(statement)) continue;
      this.#remember(statement);
      await this.#answer(statement);
    }
    return false;
  }

  async #answer(statement: string): Promise<void> {
    const { paint, seconds, stop } = this.#options;
    const interrupt = new AbortController();
    const cancel = (): void => {
      this.#lines.length = 0;
      process.stdout.write('\n'); // behind the terminal's ^C
      interrupt.abort(new StoppedBySignal('SIGINT'));
    };
    // Not read meanwhile, so that Ctrl+C is a signal, and what is typed waits.
    this.#terminal.pause();
    process.stdin.setRawMode(false);
    process.on('SIGINT', cancel);
    try {
      await this.#move();
      const signal = AbortSignal.any([stop, interrupt.signal]);
      const begun = performance.now();
      const rows = await answer(this.#queries, statement, { format: this.#format, destination: standardOutput(signal), isShown: true, paint, seconds, signal });
      const took = (performance.now() - begun) / 1000;
      tellBlock(`${count(rows, 'row')} in ${took.toFixed(2)} s\n`, 'done', { rows, seconds: took });
    } catch (error) {
      if (!stop.aborted) reportError(error);
    } finally {
      process.off('SIGINT', cancel);
      if (!this.#isLeft) process.stdin.setRawMode(true);
    }
  }

  /** To what is published now. Where that cannot be opened, what there was stays. */
  async #move(): Promise<void> {
    if (!(await this.#queries.isReplaced())) return;
    const next = await this.#options.open();
    const last = this.#queries;
    this.#queries = next;
    await last.close();
    this.#tables = await readCatalog(next);
    tell(`the dataset was published anew: from here on queries see the new one, ${printable(next.dataset.output)}`);
  }

  #remember(statement: string): void {
    this.#history.add(statement);
    const { history } = this.#terminal as Interface & { history?: string[] };
    history?.splice(0, history.length, ...this.#history.entries);
  }

  #clear(): void {
    this.#begun = '';
    this.#terminal.write(null, { ctrl: true, name: 'e' });
    this.#terminal.write(null, { ctrl: true, name: 'u' });
    process.stdout.write('\n');
    this.#terminal.setPrompt(FIRST);
    this.#terminal.prompt();
  }
}
