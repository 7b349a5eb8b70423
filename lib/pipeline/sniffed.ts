/** What `--sniff` guesses of a run's inputs, and how it is told: once for each different guess. */
import type { Dialect } from '../core/dialect.ts';
import type { JobOptions } from '../core/options.ts';
import type { InputInfo } from '../core/stage.ts';
import { describeDialect, SNIFF_BYTES, sniffDialect } from '../parse/sniff.ts';

export interface Guess {
  /** In words: delimiter, quote, header. */
  readonly dialect: string;
  /** Inputs that it is of, and the first one's name. */
  readonly inputs: number;
  readonly first: string;
}

export class Sniffer {
  readonly #options: JobOptions;
  readonly #guesses = new Map<string, { inputs: number; first: string }>();

  constructor(options: JobOptions) {
    this.#options = options;
  }

  /** The dialect of an input that begins with `sample`, all of it if it is short. */
  guess({ name }: InputInfo, sample: Uint8Array): Dialect {
    const { dialect: given, columns } = this.#options;
    const dialect = sniffDialect(sample, { given, name, columns, whole: sample.length < SNIFF_BYTES });
    const words = describeDialect(dialect);
    const known = this.#guesses.get(words);
    if (known) known.inputs++;
    else this.#guesses.set(words, { inputs: 1, first: name });
    return dialect;
  }

  get guesses(): Guess[] {
    return [...this.#guesses].map(([dialect, { inputs, first }]) => ({ dialect, inputs, first }));
  }
}
