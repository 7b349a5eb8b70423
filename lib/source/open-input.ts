/**
 * The file that threads read in turns: one at a time is open, for all of them, so that all read the same one, whatever its
 * name has come to mean since.
 */
import { EtlError } from '../core/errors.ts';
import type { InputFile } from './inputs.ts';
import { InputReader } from './reader.ts';

export class OpenInput {
  readonly #inputs: readonly InputFile[];
  #reader: InputReader | undefined;
  #closed = false;

  constructor(inputs: readonly InputFile[]) {
    this.#inputs = inputs;
  }

  /** Opens an input by its number, in place of the one before, which nobody reads any more. Throws ETL_INPUT_READ. */
  async open(number: number): Promise<number> {
    await this.#reader?.close();
    if (this.#closed) throw new EtlError('ETL_ABORTED', 'Reading was stopped.');
    this.#reader = new InputReader(this.#inputs[number]!);
    return await this.#reader.open();
  }

  /** When nobody reads it any more. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#reader?.close();
  }
}
