/**
 * What is told on stderr while a command works and when it ends, as text for people or as lines of JSON. A line of progress makes way
 * for it.
 */
import { printable } from './printable.ts';

export interface Log {
  /** `text`: one sentence, whatever is in it; `data`: what belongs to it, for programs. */
  info(text: string, data?: object): void;
  warn(text: string, data?: object): void;
  error(text: string, data?: object): void;
}

interface Line {
  /** Leaves the cursor where a message may begin. */
  clear(): void;
}

const textLog: Log = {
  info: (text) => write(`etl-stream: ${printable(text)}\n`),
  warn: (text) => write(`etl-stream: warning: ${printable(text)}\n`),
  error: (text) => write(`${printable(text)}\n`),
};

let log = textLog;
let line: Line | undefined;

/** There is a line on stderr that is drawn again and again; undefined: no more. */
export function setLine(drawn: Line | undefined): void {
  line = drawn;
}

/** How all that follows is told. */
export async function setLogFormat(format: unknown): Promise<void> {
  log = format === 'json' ? (await import('./json-log.ts')).jsonLog(write) : textLog;
}

export function isJsonLog(): boolean {
  return log !== textLog;
}

/** Something that happened. */
export function tell(text: string, data?: object): void {
  log.info(text, data);
}

/** Something that somebody should look at, though the command goes on. */
export function warn(text: string, data?: object): void {
  log.warn(text, data);
}

/** What a command found wrong: of text, the bare sentence. */
export function tellProblem(text: string, data?: object): void {
  log.error(text, data);
}

/** An error with its code and what to do next, which are data of JSON and stand in the text; `more` is for JSON alone. */
export function tellFault(message: string, { code, hint, ...more }: { readonly code: string; readonly hint: string; readonly [name: string]: unknown }, prefix = ''): void {
  if (isJsonLog()) return log.error(message, { code, hint, ...more });
  // DuckDB shows where in a query something is wrong, in lines of its own.
  const [first = '', ...shown] = code === 'ETL_SQL' ? message.split(/\n+/) : [message];
  log.error(`${prefix}${first} [${code}]`);
  for (const line of shown) log.error(`  ${line.replaceAll('\t', '  ')}`);
  log.error(`  ${hint}`);
}

/** Text of several lines of ours, for people, ending in a line break; as JSON, `title` with `data`. */
export function tellBlock(text: string, title: string, data: object): void {
  if (isJsonLog()) log.info(title, data);
  else write(text);
}

function write(text: string): void {
  line?.clear();
  process.stderr.write(text);
}
