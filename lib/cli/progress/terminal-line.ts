/**
 * One line of a terminal, drawn over itself by one write each time. The cursor is left at the line's beginning: what the terminal echoes
 * (^C) does not make it longer, and where a narrower window has wrapped it, it is still the cursor's line and those below it that are
 * drawn over. A line that is drawn before the program is told of a narrower window (tmux takes a quarter of a second to) must not wrap,
 * either: wrapping is off for as long as a write takes. Nothing else is changed, so a killed process leaves a terminal that works.
 */
import type { Paint } from '../color.ts';
import type { FactsTeller, Moment } from './facts.ts';
import { drawLine } from './line.ts';

const ERASE_BELOW = '\x1b[J';
/** DECAWM. */
const [NO_WRAP, WRAP] = ['\x1b[?7l', '\x1b[?7h'];
/** Runs that take less show nothing. */
const FIRST_SECONDS = 0.5;
const PERIOD_SECONDS = 0.1;
const DEFAULT_COLUMNS = 80;

export interface Terminal {
  readonly isTTY?: boolean | undefined;
  /** As it is now: Node follows the window. */
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export class TerminalLine<M extends Moment> {
  readonly #teller: FactsTeller<M>;
  readonly #terminal: Terminal;
  readonly #paint: Paint;
  #next = FIRST_SECONDS;
  #isDrawn = false;
  #isEnded = false;

  constructor(teller: FactsTeller<M>, terminal: Terminal, paint: Paint) {
    this.#teller = teller;
    this.#terminal = terminal;
    this.#paint = paint;
  }

  update(moment: M): void {
    const { facts } = this.#teller.tell(moment);
    const { seconds } = moment;
    if (this.#isEnded || seconds < this.#next) return;
    // Timers are a little early or late: ten times a second, but not always 0.1 s apart.
    this.#next = Math.max(this.#next, seconds - PERIOD_SECONDS / 2) + PERIOD_SECONDS;
    const { columns } = this.#terminal;
    this.#isDrawn = true;
    const line = drawLine(facts, columns || DEFAULT_COLUMNS, this.#paint);
    this.#terminal.write(`\r${NO_WRAP}${line}${WRAP}${ERASE_BELOW}\r`);
  }

  clear(): void {
    if (this.#isDrawn) this.#terminal.write(`\r${ERASE_BELOW}`);
    this.#isDrawn = false;
  }

  end(): void {
    this.clear();
    this.#isEnded = true;
  }
}
