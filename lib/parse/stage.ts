/**
 * lane 1, second stage: blocks -> their batches. Blocks come in order, though not all of them to the stage of each thread;
 * batches go on in the order of their blocks. Every record of an input is in exactly one batch, as a row, but for the header
 * and empty lines. A batch holds records of one block: those that end in it.
 *
 * What goes on is one value a block, whose batches are made when they are asked for (block-parser.ts); a block without any is
 * passed over. The next block is begun when the last batch was asked for, and the block released. All memory is given back
 * when the stream is closed; if that is before its end the relay is stopped, for no other stage could go on.
 */
import { Transform, type TransformCallback } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import type { Batch, Block, BlockBatches } from '../core/stage.ts';
import { BlockParser, type BlockParserOptions } from './block-parser.ts';

export type ParseStageOptions = BlockParserOptions;

/** The stage: Block in, BlockBatches out. Fails with ETL_HEADER when an input's header does not fit `columns`. */
export function createParseStage(options: ParseStageOptions): Transform {
  return new ParseStage(options);
}

class ParseStage extends Transform {
  readonly #options: ParseStageOptions;
  readonly #parser: BlockParser;
  /** The block that is being parsed. */
  #block: Block | undefined;

  constructor(options: ParseStageOptions) {
    super({ objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: 1 });
    this.#options = options;
    this.#parser = new BlockParser(options);
  }

  override _transform(block: Block, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#block = block;
    this.#parse(block, callback).catch(callback);
  }

  override _flush(callback: TransformCallback): void {
    this.#finish().then(() => callback(), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#release();
    this.#parser.close(this.readableEnded);
    callback(error);
  }

  async #finish(): Promise<void> {
    this.#parser.assertEnded();
    await this.#options.rejects.drained();
  }

  /** Sends the block's batches on, of which the first is made at once, so that what comes behind the block is not held up. */
  async #parse(block: Block, callback: TransformCallback): Promise<void> {
    const begun = this.#parser.begin(block);
    if (begun) await begun;
    let first = this.#parser.next();
    if (first instanceof Promise) first = await first;
    if (!first) return this.#end(callback);
    this.push(new Batches(first, this.#parser, () => this.#end(callback), (error) => this.destroy(error)));
  }

  #end(callback: TransformCallback): void {
    this.#release();
    callback();
  }

  #release(): void {
    this.#block?.release();
    this.#block = undefined;
  }
}

class Batches implements BlockBatches {
  #first: Batch | undefined;
  #ended = false;
  readonly #parser: BlockParser;
  readonly #end: () => void;
  readonly #fail: (error: Error) => void;

  constructor(first: Batch, parser: BlockParser, end: () => void, fail: (error: Error) => void) {
    this.#first = first;
    this.#parser = parser;
    this.#end = end;
    this.#fail = fail;
  }

  next(): Batch | undefined | Promise<Batch | undefined> {
    if (this.#ended) throw new EtlError('ETL_INTERNAL', 'A batch was asked for after the last one.');
    const first = this.#first;
    if (first) {
      this.#first = undefined;
      return first;
    }
    try {
      const batch = this.#parser.next();
      return batch instanceof Promise ? batch.then(this.#given, this.#failed) : this.#given(batch);
    } catch (error) {
      return this.#failed(error);
    }
  }

  readonly #given = (batch: Batch | undefined): Batch | undefined => {
    if (!batch) {
      this.#ended = true;
      this.#end();
    }
    return batch;
  };

  readonly #failed = (error: unknown): never => {
    this.#fail(error as Error);
    throw error;
  };
}
