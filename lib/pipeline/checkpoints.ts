/**
 * A long run with a state is done in parts, of as many inputs as come to `checkpoint` bytes: each part but the last ends with a
 * commit of its own, and the last with the dataset. So a run that ends early, however, is continued by the next one from the last
 * of them: what they read is in the ledger.
 */
import { addCounters, newCounters, type Counters } from '../core/counters.ts';
import { EtlError, messageOf } from '../core/errors.ts';
import type { Rule } from '../core/rules.ts';
import type { InputFile } from '../source/inputs.ts';
import { summarize, type Outcome, type Summary } from '../summary.ts';

/** What a run does next. */
export interface Part {
  /** 0, 1, ... */
  readonly number: number;
  /** Names of the inputs of earlier parts. */
  readonly done: ReadonlySet<string>;
  /** Rows that they rejected. */
  readonly rejected: number;
}

export interface PartDone {
  /** Of this part, but for the seconds of phases: of the run so far. */
  readonly outcome: Outcome;
  readonly counters: Counters;
  /** Most bytes that it was allowed to have. */
  readonly memory: number;
  readonly inputs: readonly InputFile[];
  /** How many inputs are left for further parts. */
  readonly left: number;
}

/** The inputs of the next part, in order: at least one, and pipes with what comes before them. */
export function nextPart(inputs: readonly InputFile[], checkpoint: number): InputFile[] {
  let bytes = 0;
  const end = inputs.findIndex(({ size = 0 }) => (bytes += size) >= checkpoint);
  return inputs.slice(0, end < 0 || inputs.slice(end + 1).every(({ size }) => size === undefined) ? undefined : end + 1);
}

/** All parts of a run over these inputs. */
export function partsOf(inputs: readonly InputFile[], checkpoint: number): InputFile[][] {
  const parts: InputFile[][] = [];
  for (let left = inputs; left.length > 0; left = left.slice(parts.at(-1)!.length)) parts.push(nextPart(left, checkpoint));
  return parts;
}

/** Runs part after part until nothing is left; throws ETL_ABORTED when `pause` says so between two of them. */
export async function inParts(run: (part: Part) => Promise<PartDone>, rules: readonly Rule[], pause: AbortSignal | undefined): Promise<Summary> {
  const started = performance.now();
  const total = newCounters();
  const done = new Set<string>();
  let forgotten = 0;
  for (let number = 0; ; number++) {
    const { outcome, counters, memory, inputs, left } = await run({ number, done, rejected: total.rejected });
    addCounters(total, counters, undefined);
    forgotten += outcome.state?.forgotten ?? 0;
    for (const { name } of inputs) done.add(name);
    if (left === 0) {
      const seconds = (performance.now() - started) / 1000;
      const state = outcome.state && { ...outcome.state, forgotten };
      return summarize(total, rules, memory, { ...outcome, inputs: done.size, seconds, state });
    }
    if (pause?.aborted) throw paused(done.size, left, pause);
  }
}

function paused(done: number, left: number, { reason }: AbortSignal): EtlError {
  const inputs = (count: number): string => `${count} ${count === 1 ? 'input' : 'inputs'}`;
  return new EtlError('ETL_ABORTED', `The run was stopped (${messageOf(reason)}) at a checkpoint: ${inputs(done)} of it are counted, ${inputs(left)} are not.`, {
    cause: reason,
    hint: 'Run the same command again to go on from there; what is counted is published then.',
  });
}
