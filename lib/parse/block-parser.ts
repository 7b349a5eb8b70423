/**
 * One block after the other -> its batches, one after the other, in the same memory. What the end of a block leaves to the
 * next is in the relay, so rows, rejects and errors are those of a single parser, however many take turns.
 *
 *   begin(block)    waits for the block's turn and takes up what the one before left
 *   next()          a batch, and another, and another ...; undefined when the block is used up
 *
 * A batch is valid until the next call of `next`; the block's bytes are needed until it gives undefined. Rows that cannot be counted stay in
 * their batch with a status, and go to `rejects` before the batch is given.
 *
 * Memory: a batch with scratch for unfolded quotes, a large scratch for a record that needs more, and the index (scanner.ts),
 * whatever the input; a record longer than the limit is rejected and its rest passed over. What a record is: README.md.
 */
import { addTo, type Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import type { ColumnNames } from '../core/options.ts';
import type { RejectSink } from '../core/rejects.ts';
import { MAX_RECORD_BYTES, type Batch, type Block } from '../core/stage.ts';
import { BATCH_BYTES, BATCH_RECORD_START, BATCH_STATUS, REJECT_NONE, REJECT_RECORD_TOO_LONG } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  STATE_BASE, STATE_COLUMN_ID, STATE_COLUMN_IP, STATE_COLUMN_USER, STATE_COLUMN_VALUE, STATE_EMPTY_LINES, STATE_FIELDS,
  STATE_RECORDS, STATE_SCRATCH, STATE_SCRATCH_END,
} from '../kernels/parse-layout.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { describeReject } from './describe-reject.ts';
import { headerNames, mapHeader, type HeaderMap } from './header.ts';
import { Relay } from './relay.ts';
import { isLost, Scanner, type Dialect } from './scanner.ts';

/** Scratch of a batch. Only fields with doubled quotes need any. */
const SCRATCH_BYTES = 1 << 16;

export interface BlockParserOptions extends Dialect {
  readonly memory: LinearMemory;
  /** `loadKernel('parse', memory)` or `createParseTwin(memory)`. */
  readonly kernel: ParseKernel;
  readonly counters: Counters;
  readonly rejects: RejectSink;
  readonly columns: ColumnNames;
  /** Decimal places that values keep, see `readSample`. */
  readonly scale: number;
  /** Default MAX_RECORD_BYTES. */
  readonly maxRecordBytes?: number;
  /** Malformed records are repaired where they can be. */
  readonly repair?: boolean | undefined;
  /**
   * What the parsers of several threads share, made for `maxRecordBytes`: they hand it on as early as they can. Default: one
   * of its own, for a parser that has all blocks.
   */
  readonly relay?: Relay;
}

export class BlockParser {
  readonly #options: BlockParserOptions;
  readonly #scanner: Scanner;
  readonly #recordLimit: number;
  /** The batch, followed by its scratch. */
  readonly #batch: number;
  readonly #batchBytes: number;
  /** The scratch that holds any record. */
  readonly #largeScratch: number;
  readonly #relay: Relay;
  #block: Block | undefined;
  /** Whether the relay has gone on to the next block. */
  #passed = false;
  /** Of the block's input. Where the last record that was too long begins. */
  #longRecord = { line: 0, byte: 0 };
  #header: HeaderMap | undefined;
  /** Whether there were any before this block. */
  #emptyLines = false;
  #closed = false;

  /** Throws ETL_MEMORY. */
  constructor(options: BlockParserOptions) {
    this.#options = options;
    this.#recordLimit = options.maxRecordBytes ?? MAX_RECORD_BYTES;
    this.#batchBytes = BATCH_BYTES + Math.min(SCRATCH_BYTES, this.#recordLimit);
    const { memory, relay } = options;
    this.#batch = memory.slab(this.#batchBytes, 'a batch');
    this.#largeScratch = memory.slab(this.#recordLimit, 'unfolded quotes');
    this.#scanner = new Scanner({ ...options, recordLimit: this.#recordLimit, ahead: relay !== undefined });
    this.#relay = relay ?? Relay.create(memory, this.#recordLimit);
  }

  /** Not before the last batch of the block before was asked for. Rejects with ETL_ABORTED when the relay was stopped. */
  begin(block: Block): void | Promise<void> {
    const turn = this.#relay.take(block.sequence);
    return turn ? turn.then(() => this.#open(block)) : this.#open(block);
  }

  /** A block of an input that another parser reads. */
  pass({ sequence, ptr }: Block): void | Promise<void> {
    const turn = this.#relay.take(sequence);
    return turn ? turn.then(() => this.#relay.pass(undefined, ptr)) : this.#relay.pass(undefined, ptr);
  }

  /** See Pieces.next. Throws ETL_HEADER when the input's header does not fit the columns. */
  next(): Batch | undefined | Promise<Batch | undefined> {
    const block = this.#opened();
    for (;;) {
      // The relay goes on before the input's last record is ended, unless that is the header: errors come in order.
      const found = this.#scanner.scan(block.last && (this.#passed || !this.#header));
      if (found !== 'end' && !this.#header) {
        this.#readHeader(block, found);
      } else if (!this.#passed && (found === 'end' || this.#scanner.atEnd)) {
        this.#pass(block);
      } else if (found === 'end') {
        return this.#end();
      } else {
        const rows = this.#fill(found);
        if (rows > 0) return this.#checked(block, rows);
      }
    }
  }

  /** After the last block. Throws ETL_INTERNAL when that was not the last of its input. */
  assertEnded(): void {
    if (!this.#options.relay) this.#relay.assertEnded();
  }

  /** Gives all memory back, and ends waiting for turns unless all is done: no other parser could go on. Idempotent. */
  close(done: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    const { memory, relay } = this.#options;
    this.#scanner.close();
    if (!done) this.#relay.stop();
    if (!relay) this.#relay.free(this.#recordLimit);
    memory.giveSlab(this.#batch, this.#batchBytes);
    memory.giveSlab(this.#largeScratch, this.#recordLimit);
  }

  #opened(): Block {
    if (this.#closed) throw new EtlError('ETL_ABORTED', 'The parse stage was stopped.');
    if (!this.#block) throw new EtlError('ETL_INTERNAL', 'A batch was asked for, but no block was begun.');
    return this.#block;
  }

  /** Takes up what the block before left. */
  #open(block: Block): void {
    if (this.#block) throw new EtlError('ETL_INTERNAL', 'A block began before the one before had ended.');
    this.#block = block;
    this.#opened();
    const { cut, header, emptyLines, longRecord } = this.#relay.state;
    if (cut.bytes > block.headroom) {
      throw new EtlError('ETL_INTERNAL', `A record of ${cut.bytes} bytes does not fit a headroom of ${block.headroom}.`);
    }
    this.#relay.copyUnfinished(block.ptr);
    this.#scanner.open(block.ptr, block.length, block.last, cut);
    this.#setHeader(header);
    this.#emptyLines = emptyLines;
    this.#longRecord = longRecord;
    this.#passed = false;
    this.#options.rejects.begin(block.sequence);
  }

  /** Leaves to the next block what it has to know. */
  #pass(block: Block): void {
    const cut = this.#scanner.cut();
    const end = block.ptr + block.length;
    if (cut.longFrom !== undefined) {
      this.#longRecord = { line: cut.longLine, byte: this.#byteOf(block, cut.longFrom) };
    }
    const emptyLines = this.#emptyLines || this.#scanner.get(STATE_EMPTY_LINES) > 0;
    if (block.last) {
      if (isLost(cut)) this.#refuse(block);
      if (!this.#header && emptyLines) mapHeader([], this.#options.columns, block.input.name);
      this.#relay.pass(undefined, end);
    } else {
      this.#relay.pass({ cut, header: this.#header, emptyLines, longRecord: this.#longRecord }, end);
    }
    this.#passed = true;
  }

  #end(): undefined | Promise<undefined> {
    this.#options.counters.emptyLines += this.#scanner.get(STATE_EMPTY_LINES);
    this.#scanner.set(STATE_EMPTY_LINES, 0);
    this.#block = undefined;
    return this.#options.rejects.end()?.then(() => undefined);
  }

  /** Byte of the input at a position of the window. */
  #byteOf(block: Block, position: number): number {
    return block.offset + this.#scanner.get(STATE_BASE) + position - block.ptr;
  }

  /** Nobody can tell how many rows such a record has swallowed: it is no reject, but the end of the job. */
  #refuse({ input, offset, length }: Block): never {
    const { line, byte } = this.#longRecord;
    throw new EtlError(
      'ETL_INPUT_READ',
      `The record of ${input.name} that begins in line ${line} (byte ${byte}) opens a quote that is never closed: ` +
        `all ${offset + length - byte} bytes from there to the end would be lost.`,
      { hint: 'Mend that quote and run again. Nothing was published.' },
    );
  }

  #readHeader(block: Block, found: 'records' | 'too_long'): void {
    const { columns } = this.#options;
    const { name } = block.input;
    if (found === 'records' && !this.#scanner.next()) return;
    const { start, end } = this.#scanner.record;
    if (found === 'too_long' || end - start > this.#recordLimit) {
      throw new EtlError('ETL_HEADER', `The header of ${name} is longer than ${this.#recordLimit} bytes.`, {
        hint: 'Is it a CSV file?',
      });
    }
    this.#setHeader(mapHeader(headerNames(this.#scanner, name, this.#options.quote ?? '"'), columns, name));
  }

  #setHeader(header: HeaderMap | undefined): void {
    this.#header = header;
    this.#scanner.set(STATE_FIELDS, header?.fields ?? 0);
    if (!header) return;
    this.#scanner.set(STATE_COLUMN_ID, header.id);
    this.#scanner.set(STATE_COLUMN_USER, header.user);
    this.#scanner.set(STATE_COLUMN_IP, header.ip);
    this.#scanner.set(STATE_COLUMN_VALUE, header.value);
  }

  /** Rows of the next batch; 0 when there were only empty lines. */
  #fill(found: 'records' | 'too_long'): number {
    const { kernel } = this.#options;
    const { state } = this.#scanner;
    if (found === 'too_long') {
      kernel.skip(state, this.#batch);
      return 1;
    }
    this.#setScratch(this.#batch + BATCH_BYTES, this.#batch + this.#batchBytes);
    const rows = kernel.fields(state, this.#batch) >>> 0;
    if (rows > 0 || this.#scanner.get(STATE_RECORDS) === 0) return rows;
    // The next record has more to unfold than the batch's own scratch holds.
    this.#setScratch(this.#largeScratch, this.#largeScratch + this.#recordLimit);
    return kernel.fields(state, this.#batch) >>> 0;
  }

  #setScratch(at: number, end: number): void {
    this.#scanner.set(STATE_SCRATCH, at);
    this.#scanner.set(STATE_SCRATCH_END, end);
  }

  #checked(block: Block, rows: number): Batch | Promise<Batch> {
    const { kernel, counters, scale } = this.#options;
    const batch: Batch = { ptr: this.#batch, rows, input: block.input, block: block.index };
    const rejected = kernel.values(this.#batch, rows, scale) >>> 0;
    counters.read += rows;
    addTo(counters.readBy, block.input.number, rows);
    counters.rejected += rejected;
    const told = rejected > 0 ? this.#tellRejects(block, rows, 0) : undefined;
    return told ? told.then(() => batch) : batch;
  }

  /** A promise when the sink wants its lines to be waited for. */
  #tellRejects(block: Block, rows: number, from: number): Promise<void> | undefined {
    const { memory, columns, scale, counters, rejects } = this.#options;
    const context = { memory, columns, scale, fields: this.#header!.fields, recordLimit: this.#recordLimit };
    const statuses = memory.u32(this.#batch + BATCH_STATUS, rows);
    const starts = memory.u32(this.#batch + BATCH_RECORD_START, rows);
    for (let row = from; row < rows; row++) {
      const status = statuses[row]!;
      if (status === REJECT_NONE) continue;
      addTo(counters.rejectedBy, status, 1);
      const position = starts[row]! - this.#scanner.get(STATE_BASE);
      const line = this.#scanner.lineOf(position);
      const byte = this.#byteOf(block, position);
      if (status === REJECT_RECORD_TOO_LONG) this.#longRecord = { line, byte };
      if (rejects.write({ file: block.input.name, line, byte, ...describeReject(this.#batch, row, context) })) {
        return rejects.drained().then(() => {
          this.#opened();
          return this.#tellRejects(block, rows, row + 1);
        });
      }
    }
    return undefined;
  }
}
