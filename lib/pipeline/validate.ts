/**
 * Reads inputs as a run would, and publishes nothing: no state, no IP database, no folder is touched. An input that cannot be read as a log
 * is told as such, and the others are read all the same. One thread: a file after the other.
 * Memory: blocks and parser, as in a run with one job; and what is told, by input and reason.
 */
import { pipeline } from 'node:stream/promises';
import { newCounters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import { forEachPiece, type Pieces } from '../core/pieces.ts';
import { isOver, limitText } from '../core/reject-limit.ts';
import { reasonOfReject, reasonsOf, STATUSES, type Reject, type RejectSink } from '../core/rejects.ts';
import type { Batch } from '../core/stage.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { parseSetup, parseStage } from '../lanes/parse-setup.ts';
import { BlockSource } from '../source/blocks.ts';
import { listInputs, type InputFile } from '../source/inputs.ts';
import { sampleOf } from './sample-inputs.ts';
import { Sniffer, type Guess } from './sniffed.ts';

export interface Validation {
  readonly inputs: readonly ValidatedInput[];
  /** Of all inputs; those of an input that cannot be read to its end, as far as it was read. */
  readonly rows: { readonly read: number; readonly rejected: number };
  readonly rejectedBy: Readonly<Record<string, number>>;
  readonly emptyLines: number;
  readonly bytes: number;
  /** Decimal places that values were read with. */
  readonly valueScale: number;
  /** Most rows that may be rejected, as --max-rejects has it. */
  readonly limit: string;
  /** Whether a run would take it all: every input is a log, and no more rows are rejected than the limit allows. */
  readonly isAccepted: boolean;
}

export interface ValidatedInput {
  readonly name: string;
  readonly rows: number;
  readonly rejected: number;
  readonly reasons: readonly ValidatedReason[];
  /** Why it cannot be read as a log, or not to its end. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export interface ValidatedReason {
  /** A reject code, or `rule COLUMN:RULE`. */
  readonly reason: string;
  readonly rows: number;
  /** The first such row. */
  readonly first: { readonly line: number; readonly byte: number; readonly message: string };
}

/** What an input itself is wrong about. */
const FAULTS: readonly string[] = ['ETL_HEADER', 'ETL_INPUT_READ'];

export interface ValidationContext {
  readonly signal?: AbortSignal | undefined;
  /** Told each different guess of `sniff`, before a row is checked. */
  readonly onGuess?: ((guess: Guess) => void) | undefined;
}

/** Reads all that `options.inputs` name. Rejects as a run does when something else than an input is wrong: ETL_INPUT_NOT_FOUND, ETL_MEMORY, ETL_ABORTED. */
export async function validateInputs(options: JobOptions, { signal, onGuess }: ValidationContext = {}): Promise<Validation> {
  return new Validator(options, signal, onGuess).run();
}

class Validator {
  readonly #options: JobOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #onGuess: ValidationContext['onGuess'];
  readonly #counters = newCounters();
  readonly #memory = new LinearMemory();
  /** Of pipes, of which something was read to see the scale. */
  readonly #sampled = new Map<InputFile, BlockSource>();

  constructor(options: JobOptions, signal: AbortSignal | undefined, onGuess: ValidationContext['onGuess']) {
    this.#options = options;
    this.#signal = signal;
    this.#onGuess = onGuess;
  }

  async run(): Promise<Validation> {
    const { inputs: paths, maxRejects, onError, rules } = this.#options;
    const counters = this.#counters;
    const inputs: ValidatedInput[] = [];
    let scale = 0;
    try {
      const listed = await listInputs(paths, this.#options);
      scale = await this.#sample(listed);
      for (const input of listed) inputs.push(await this.#check(input, scale));
    } catch (error) {
      if (!this.#signal?.aborted) throw error;
      throw new EtlError('ETL_ABORTED', 'Validation was stopped.', { cause: this.#signal.reason });
    } finally {
      for (const source of this.#sampled.values()) await source.close();
    }
    const { read, rejected, rejectedBy, emptyLines, bytes } = counters;
    const limit = onError === 'fail' ? { rows: 0 } : maxRejects;
    const told = bytes > 0 ? inputs : inputs.map((input) => ({ ...input, error: input.error ?? { code: 'ETL_HEADER', message: `The input ${input.name} is empty: not even a header.` } }));
    return {
      inputs: told, rows: { read, rejected }, rejectedBy: reasonsOf(rejectedBy, rules), emptyLines, bytes, valueScale: scale, limit: limitText(limit),
      isAccepted: told.every(({ error }) => error === undefined) && !isOver(limit, read, rejected),
    };
  }

  /** The scale, as a run finds it, by the first input that has a row; and the inputs' dialects, if they are to be guessed. */
  async #sample(inputs: readonly InputFile[]): Promise<number> {
    const { sniff, valueScale, columns } = this.#options;
    const sniffer = sniff ? new Sniffer(this.#options) : undefined;
    let scale = valueScale;
    for (const input of inputs) {
      if (scale !== undefined && !sniffer) break;
      const source = this.#sourceOf(input);
      const isPipe = input.size === undefined;
      if (isPipe) this.#sampled.set(input, source);
      try {
        const found = await sampleOf(source, columns, this.#memory, { sniffer });
        scale ??= found?.scale;
      } catch (error) {
        faultOf(error);
      } finally {
        if (!isPipe) await source.close();
      }
    }
    for (const guess of sniffer?.guesses ?? []) this.#onGuess?.(guess);
    return scale ?? 0;
  }

  async #check(input: InputFile, scale: number): Promise<ValidatedInput> {
    const { rules } = this.#options;
    const [memory, counters] = [this.#memory, this.#counters];
    const firsts = new Map<string, ValidatedReason['first']>();
    const source = this.#sampled.get(input) ?? this.#sourceOf(input);
    let error: EtlError | undefined;
    try {
      const kernel = await loadKernel<ParseKernel>('parse', memory);
      await pipeline(
        source.stream(),
        parseStage(parseSetup(this.#options, scale), { memory, kernel, counters, rejects: firstsInto(firsts) }),
        async (blocks: AsyncIterable<Pieces<Batch>>) => {
          for await (const batches of blocks) await forEachPiece(batches, () => undefined);
        },
        this.#signal ? { signal: this.#signal } : {},
      );
    } catch (cause) {
      error = faultOf(cause);
    } finally {
      await source.close();
      this.#sampled.delete(input);
    }
    const from = input.number * STATUSES;
    const by = [...counters.rejectedIn].flatMap(([key, rows]): [number, number][] => (key >= from && key < from + STATUSES ? [[key - from, rows]] : []));
    const reasons = Object.entries(reasonsOf(by, rules)).map(([reason, rows]) => ({ reason, rows, first: firsts.get(reason)! }));
    for (const [status] of by) counters.rejectedIn.delete(from + status);
    return {
      name: input.name, rows: counters.readBy.get(input.number) ?? 0, rejected: reasons.reduce((sum, { rows }) => sum + rows, 0), reasons,
      error: error && { code: error.code, message: error.message },
    };
  }

  #sourceOf(input: InputFile): BlockSource {
    return new BlockSource({ inputs: [input], memory: this.#memory, counters: this.#counters, signal: this.#signal });
  }
}

/** Keeps where the first reject of each reason is. */
function firstsInto(firsts: Map<string, ValidatedReason['first']>): RejectSink {
  return {
    begin: () => undefined,
    write(reject: Reject) {
      const reason = reasonOfReject(reject);
      const { line, byte, message } = reject;
      if (!firsts.has(reason)) firsts.set(reason, { line, byte, message });
      return false;
    },
    drained: async () => undefined,
    end: () => undefined,
  };
}

/** What is wrong with an input itself; anything else is thrown. */
function faultOf(error: unknown): EtlError {
  if (error instanceof EtlError && FAULTS.includes(error.code)) return error;
  throw error;
}
