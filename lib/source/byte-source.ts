/**
 * What the parts of reading one input pass on: bytes, when they are asked for, into memory of who asks. So nothing is read
 * or decompressed that nobody has room for.
 */
import { EtlError } from '../core/errors.ts';

export interface ByteSource {
  /** Fills `target` from its start; short only at the end. Gives the number of bytes. One at a time. */
  fill(target: Uint8Array): Promise<number>;
}

/** What a source makes of another one. */
export interface Decoder extends ByteSource {
  /** Frees what it holds, and ends a `fill` that waits for anything but its source. Idempotent. */
  stop(): void;
}

/** A source whose first bytes can be looked at before they are read. */
export class Lookahead implements ByteSource {
  readonly #source: ByteSource;
  #head: Uint8Array = new Uint8Array(0);

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** What was looked at, and not yet read. */
  get head(): Uint8Array {
    return this.#head;
  }

  /** The first `bytes` of what is still to be read, fewer at its end. Only before the first `fill`. */
  async look(bytes: number): Promise<Uint8Array> {
    const head = new Uint8Array(bytes);
    const length = await this.#source.fill(head);
    return this.#head = head.subarray(0, length);
  }

  async fill(target: Uint8Array): Promise<number> {
    const kept = this.#head.subarray(0, target.length);
    target.set(kept);
    this.#head = this.#head.subarray(kept.length);
    return kept.length + (kept.length < target.length ? await this.#source.fill(target.subarray(kept.length)) : 0);
  }
}

/** Compressed bytes that cannot be right; `problem` goes on from "Its gzip data", `where` counts compressed bytes. */
export function damaged(name: string, format: string, problem: string, where: number | readonly [from: number, to: number], cause?: unknown): EtlError {
  const place = typeof where === 'number' ? `at byte ${where}` : where[0] === where[1] ? `at byte ${where[0]}` : `in bytes ${where[0]} to ${where[1]}`;
  return new EtlError('ETL_INPUT_READ', `The input ${name} cannot be decompressed: its ${format} data ${problem} (${place} of the compressed data).`, {
    cause,
    hint: 'Nothing of the input counts. Get it again from where it came, or leave it out.',
  });
}
