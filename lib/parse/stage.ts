/**
 * lane 1, second stage: blocks -> their batches. Blocks come in order, though not all of them to the stage of each thread;
 * batches go on in the order of their blocks. Every record of an input is in exactly one batch, as a row, but for the header
 * and empty lines. A batch holds records of one block: those that end in it.
 *
 * A block is released when its last batch was asked for. All memory is given back when the stream is closed; if that is before
 * its end the relay is stopped, for no other stage could go on. How batches are made: block-parser.ts; for inputs whose dialect the
 * kernel does not take, general-parser.ts, when one stage has all blocks.
 */
import type { Transform, TransformCallback } from 'node:stream';
import { isKernelDialect, RFC_4180 } from '../core/dialect.ts';
import { PieceStage } from '../core/pieces.ts';
import type { Batch, Block } from '../core/stage.ts';
import { BlockParser, type BlockParserOptions } from './block-parser.ts';
import { GeneralParser } from './general-parser.ts';

/** The stage: Block in, Pieces<Batch> out. Fails with ETL_HEADER when an input's header does not fit `columns`. */
export function createParseStage(options: BlockParserOptions): Transform {
  return new ParseStage(options);
}

class ParseStage extends PieceStage<Block, Batch> {
  readonly #options: BlockParserOptions;
  readonly #kernelParser: BlockParser;
  /** Made for the first input that needs it. */
  #generalParser: GeneralParser | undefined;
  /** That of the block. */
  #parser: BlockParser | GeneralParser;

  constructor(options: BlockParserOptions) {
    super();
    this.#options = options;
    this.#kernelParser = new BlockParser(options);
    this.#parser = this.#kernelParser;
  }

  override _flush(callback: TransformCallback): void {
    this.#finish().then(() => callback(), callback);
  }

  protected override begin(block: Block): void | Promise<void> {
    if (isKernelDialect(block.input.dialect ?? RFC_4180)) {
      this.#parser = this.#kernelParser;
    } else {
      this.#parser = this.#generalParser ??= new GeneralParser(this.#options);
      const passed = this.#kernelParser.pass(block);
      if (passed) return passed.then(() => this.#parser.begin(block));
    }
    return this.#parser.begin(block);
  }

  protected override piece(): Batch | undefined | Promise<Batch | undefined> {
    return this.#parser.next();
  }

  protected override leave(block: Block): void {
    block.release();
  }

  protected override close(ended: boolean): void {
    this.#kernelParser.close(ended);
    this.#generalParser?.close();
  }

  async #finish(): Promise<void> {
    this.#kernelParser.assertEnded();
    await this.#options.rejects.drained();
  }
}
