/**
 * How the progress of a run is shown on stderr: on a terminal as one line that is drawn again and again (terminal-line.ts), elsewhere, and
 * with --log-format json, as a message every ten seconds. The libraries for it draw bars of several lines, or log to a terminal whose size they are told once; one line needs
 * none of that.
 */
import type { Progress } from '../../index.ts';
import { hasColors, painter, takesControls } from '../color.ts';
import { isJsonLog, setLine } from '../messages.ts';
import { RunFacts, type FactsTeller, type Moment } from './facts.ts';
import { PlainLines } from './plain-lines.ts';
import { TerminalLine, type Terminal } from './terminal-line.ts';

export interface ProgressShow<M extends Moment> {
  /** Takes what the run tells, in order. */
  update(moment: M): void;
  /** Makes room for something else on stderr; the next update may show progress again. */
  clear(): void;
  /** Nothing is shown any more, and nothing is left of it on a terminal. Idempotent. */
  end(): void;
}

export interface ShowOptions {
  /** false: --no-color. */
  readonly color?: boolean | undefined;
  readonly stream?: Terminal;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Begins to show a run of this process: until `end`, messages of messages.ts clear the line. */
export function showProgress(options: ShowOptions = {}): ProgressShow<Progress> {
  return showFacts(new RunFacts(), options);
}

/** The same of any job that `teller` has words for. */
export function showFacts<M extends Moment>(teller: FactsTeller<M>, { color, stream = process.stderr, environment = process.env }: ShowOptions = {}): ProgressShow<M> {
  if (isJsonLog() || !takesControls(stream, environment)) return new PlainLines(teller);
  const line = new TerminalLine(teller, stream, painter(hasColors({ flag: color, environment, stream })));
  setLine(line);
  const end = (): void => line.end();
  process.once('exit', end); // a second signal ends the process at once
  return {
    update: (moment) => line.update(moment),
    clear: () => line.clear(),
    end: () => {
      process.off('exit', end);
      setLine(undefined);
      line.end();
    },
  };
}
