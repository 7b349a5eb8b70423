/** What a job tells on its standard output: lines that begin with a mark and go on as JSON, among those that Spark and Python print. */
import type { Phase } from '../progress.ts';
import type { Summary } from '../summary.ts';

/** Where a job on Spark is. */
export interface SparkProgress {
  /** As those of a local run: `scatter` reads, `reduce` counts and adds up. */
  readonly phase: Phase;
  /** Since it was submitted; in the job's own words, since it began. */
  readonly seconds: number;
  /** Number of the stage that Spark works on, if it works on one. */
  readonly stage?: number | undefined;
  /** Of that stage, all and those that are done. */
  readonly tasks?: number | undefined;
  readonly tasksDone?: number | undefined;
}

export type JobMessage =
  /** The process that SIGTERM stops, so that nothing is left behind. */
  | { readonly event: 'started'; readonly pid: number }
  | ({ readonly event: 'progress' } & SparkProgress)
  | { readonly event: 'result'; readonly summary: Summary }
  | { readonly event: 'error'; readonly code: string; readonly message: string; readonly hint?: string };

const MARK = 'etl-stream: ';
/** Longer ones are cut: a line of a log may be anything. */
const MOST_LINE = 2 ** 20;
const MOST_RESULT = 2 ** 26;

/** The message that a line is; undefined: it is something else. */
export function messageIn(line: string): JobMessage | undefined {
  if (!line.startsWith(`${MARK}{`)) return undefined;
  try {
    const message = JSON.parse(line.slice(MARK.length)) as JobMessage;
    return typeof message.event === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Of frames of Java that follow each other, so many are kept: where it happened, but not all that led there. */
const MOST_FRAMES = 5;
const FRAME = /^\s+at [\w.$/<>]+\(/;

/** The last lines of a log that goes on and on. */
export class LastLines {
  readonly #most: number;
  #lines: string[] = [];
  #frames = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-this.#most);
  }

  add(line: string): void {
    if (line.trim() === '') return;
    this.#frames = FRAME.test(line) ? this.#frames + 1 : 0;
    if (this.#frames > MOST_FRAMES) return;
    this.#lines.push(line.length > MOST_LINE ? `${line.slice(0, MOST_LINE)}…` : line);
    if (this.#lines.length >= 2 * this.#most) this.#lines = this.#lines.slice(-this.#most);
  }
}

/** Gives `line` each line of text that comes in pieces; a line end at the end of all is not needed. */
export async function eachLine(stream: AsyncIterable<string>, line: (text: string) => void): Promise<void> {
  let rest = '';
  for await (const piece of stream) {
    const lines = (rest + piece).split(/\r?\n/);
    rest = lines.pop()!;
    if (rest.length > MOST_RESULT) rest = ''; // no line of ours
    lines.forEach(line);
  }
  if (rest !== '') line(rest);
}

/** Of a log of a failure, the last sentence that says something: an exception's message, or else the last line. */
export function reasonIn(lines: readonly string[]): string | undefined {
  const said = lines.map((line) => line.trim()).filter((line) => !/^(at |\.\.\. \d+ more|File "|\^+$|[\W_]*$)/.test(line));
  const reason = said.findLast((line) => /(?:^|\s|\.)\w*(?:Exception|Error)\b\W/.test(line)) ?? said.at(-1);
  return reason?.replace(/^\d\d\/\d\d\/\d\d \d\d:\d\d:\d\d [A-Z]+ /, '').replace(/\.$/, '').slice(0, 500);
}
