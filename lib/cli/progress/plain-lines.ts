/** Progress where no terminal is: a line of text every ten seconds, without control characters, for logs. */
import type { Progress } from '../../index.ts';
import { factsOf } from './facts.ts';
import { Speed } from './speed.ts';
import type { Terminal } from './terminal-line.ts';

const PERIOD_SECONDS = 10;

export class PlainLines {
  readonly #stream: Pick<Terminal, 'write'>;
  readonly #speed = new Speed();
  #next = PERIOD_SECONDS;

  constructor(stream: Pick<Terminal, 'write'>) {
    this.#stream = stream;
  }

  update(progress: Progress): void {
    const speeds = this.#speed.add(progress);
    if (progress.seconds < this.#next) return;
    this.#next = (Math.floor(progress.seconds / PERIOD_SECONDS) + 1) * PERIOD_SECONDS;
    const { facts } = factsOf(progress, speeds);
    this.#stream.write(`etl-stream: ${facts.map(({ long }) => long).join(', ')}\n`);
  }

  clear(): void {
    // A line that is written stays.
  }

  end(): void {
    this.#next = Infinity;
  }
}
