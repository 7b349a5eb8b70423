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
 * Memory: a batch with scratch for unfolded quotes, and the index (scanner.ts), whatever the input; a record longer than the limit is
 * rejected and its rest passed over. Where records stand that go over several blocks: block-window.ts. What a record is: README.md.
 */
import { RFC_4180, type Dialect } from '../core/dialect.ts';
import { EtlError } from '../core/errors.ts';
import { DEFAULT_MAX_RECORD } from '../core/options.ts';
import { CARRIED_BYTES, type Batch, type Block } from '../core/stage.ts';
import {
  BATCH_BYTES, BATCH_RECORD_END, BATCH_RECORD_START, BATCH_STATUS, MAX_FOLDED_BYTES, REJECT_BAD_QUOTE, REJECT_RECORD_TOO_LONG,
  REJECT_UNTERMINATED_QUOTE,
} from '../kernels/layout.ts';
import {
  STATE_BASE, STATE_COLUMN_ID, STATE_COLUMN_IP, STATE_COLUMN_USER, STATE_COLUMN_VALUE, STATE_EMPTY_LINES, STATE_FIELDS,
  STATE_RECORDS, STATE_RECORD_LIMIT, STATE_SCRATCH, STATE_SCRATCH_END,
} from '../kernels/parse-layout.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { BATCH_FIELDS } from './batch-fields.ts';
import { BlockWindow, SLACK, type LateReject } from './block-window.ts';
import { BatchCheck, type BatchCheckOptions, type RecordPlace } from './checked-batch.ts';
import { INPUT_START, isLost, type Cut } from './cut.ts';
import { fieldProblem } from './field-text.ts';
import { headerNames, mapHeader, type HeaderMap } from './header.ts';
import { marksOf } from './record-fields.ts';
import { Relay } from './relay.ts';
import { RereadRows } from './reread-rows.ts';
import { SCRATCH_BYTES as ROW_SCRATCH_BYTES } from './row-writer.ts';
import { Scanner } from './scanner.ts';

/** Scratch of a batch: holds any row's. Only fields with doubled quotes need any. */
const SCRATCH_BYTES = 4 * MAX_FOLDED_BYTES;
/** Most bytes of a header. */
const HEADER_BYTES = CARRIED_BYTES;

export interface BlockParserOptions extends BatchCheckOptions {
  /** `loadKernel('parse', memory)` or `createParseTwin(memory)`. */
  readonly kernel: ParseKernel;
  /** Default DEFAULT_MAX_RECORD. */
  readonly maxRecordBytes?: number | undefined;
  /** Malformed records are repaired where they can be. */
  readonly repair?: boolean | undefined;
  /**
   * What the parsers of several threads share: they hand it on as early as they can. Default: one of its own, for a parser
   * that has all blocks, with `relayBytes` of room (default: for a record and a block of CARRIED_BYTES).
   */
  readonly relay?: Relay | undefined;
  readonly relayBytes?: number | undefined;
}

export class BlockParser {
  readonly #options: BlockParserOptions;
  readonly #scanner: Scanner;
  readonly #recordLimit: number;
  /** The batch, followed by its scratch. */
  readonly #batch: number;
  readonly #relay: Relay;
  readonly #window: BlockWindow;
  readonly #check: BatchCheck;
  /** To repair. */
  readonly #again: RereadRows | undefined;
  readonly #batchBytes: number;
  #block: Block | undefined;
  /** Whether the relay has gone on to the next block. */
  #passed = false;
  /** All but the input's last record was taken. */
  #isEndSeen = false;
  #dialect: Dialect = RFC_4180;
  /** Of the block's input. */
  #header: HeaderMap | undefined;
  /** Whether there were any before this block. */
  #emptyLines = false;
  #closed = false;

  /** Throws ETL_MEMORY. */
  constructor(options: BlockParserOptions) {
    this.#options = options;
    this.#recordLimit = options.maxRecordBytes ?? DEFAULT_MAX_RECORD;
    const { memory, kernel, relay, repair = false, relayBytes = this.#recordLimit + CARRIED_BYTES + SLACK } = options;
    this.#batchBytes = BATCH_BYTES + (repair ? ROW_SCRATCH_BYTES : SCRATCH_BYTES);
    this.#batch = memory.slab(this.#batchBytes, 'a batch');
    this.#check = new BatchCheck(options, this.#batch, this.#recordLimit, () => void this.#opened());
    this.#again = repair ? new RereadRows(memory, this.#batch) : undefined;
    this.#scanner = new Scanner({ memory, kernel, recordLimit: this.#recordLimit, ahead: relay !== undefined, repair });
    this.#relay = relay ?? Relay.create(memory, relayBytes);
    this.#window = new BlockWindow(this.#scanner, this.#relay);
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
    try {
      return this.#next(block);
    } catch (error) {
      return this.#inOrder(error);
    }
  }

  #next(block: Block): Batch | undefined | Promise<Batch | undefined> {
    if (this.#window.late) return this.#rejectLate(block, this.#window.late);
    if (this.#again?.isWaiting) return this.#checkAgain(block, this.#again.fill(this.#header!));
    for (;;) {
      // The relay goes on before the input's last record is ended, unless that is the header: errors come in order.
      const found = this.#scanner.scan(block.last && (this.#passed || !this.#header || this.#isEndSeen));
      if (found !== 'end' && !this.#header) {
        this.#readHeader(block, found);
      } else if (!this.#passed && (found === 'end' || (this.#scanner.atEnd && !this.#window.isInRelay))) {
        if (this.#window.isInRelay && block.last && !this.#isEndSeen) this.#seeEnd(block);
        else this.#pass(block);
      } else if (found === 'end') {
        return this.#end();
      } else {
        const batch = this.#fill(block, found);
        if (batch) return batch;
      }
    }
  }

  /** An error of this block comes after the rejects of earlier ones, whoever has them. */
  #inOrder(error: unknown): Promise<never> {
    const settled = this.#options.rejects.settled?.();
    if (!settled) throw error;
    return settled.then(() => {
      throw error;
    });
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
    if (!relay) this.#relay.free();
    memory.giveSlab(this.#batch, this.#batchBytes);
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
    const { input } = block;
    this.#dialect = input.dialect ?? RFC_4180;
    const { delimiter, quote, skipLines } = this.#dialect;
    const { cut, header, emptyLines, longRecord } = this.#relay.state ?? {
      cut: { ...INPUT_START, skip: skipLines }, header: this.#givenHeader(block), emptyLines: false, longRecord: { line: 0, byte: 0 },
    };
    this.#scanner.setDialect(delimiter, quote);
    this.#setHeader(header);
    this.#isEndSeen = false;
    this.#emptyLines = emptyLines;
    this.#check.longRecord = longRecord;
    this.#passed = false;
    this.#options.rejects.begin(block.sequence);
    this.#window.open(block, cut);
  }

  /** The header of an input that has none. */
  #givenHeader({ input }: Block): HeaderMap | undefined {
    const { header, names } = this.#dialect;
    return header ? undefined : mapHeader(names, this.#options.columns, input.name);
  }

  /** The input ends with the window, all of which is scanned; its last record may still have to be ended. */
  #seeEnd(block: Block): void {
    this.#isEndSeen = true;
    if (isLost(this.#cut())) this.#check.refuse(block);
  }

  #cut(): Cut {
    const cut = this.#window.cut();
    if (cut.longFrom !== undefined) this.#check.longRecord = { line: cut.longLine, byte: this.#window.byteOf(cut.longFrom) };
    return cut;
  }

  /** Leaves to the next block what it has to know. */
  #pass(block: Block): void {
    const { end, more } = this.#window;
    const emptyLines = this.#emptyLines || this.#scanner.get(STATE_EMPTY_LINES) > 0;
    if (block.last) {
      if (!this.#isEndSeen) this.#seeEnd(block);
      if (!this.#header && emptyLines) mapHeader([], this.#options.columns, block.input.name);
      this.#relay.pass(undefined, end);
    } else {
      this.#relay.pass({ cut: more ?? this.#cut(), header: this.#header, emptyLines, longRecord: this.#check.longRecord }, end);
    }
    this.#passed = true;
  }

  #end(): undefined | Promise<undefined> {
    this.#options.counters.emptyLines += this.#scanner.get(STATE_EMPTY_LINES);
    this.#scanner.set(STATE_EMPTY_LINES, 0);
    this.#block = undefined;
    return this.#options.rejects.end()?.then(() => undefined);
  }

  #readHeader(block: Block, found: 'records' | 'too_long'): void {
    const { columns } = this.#options;
    const { name } = block.input;
    if (found === 'records' && !this.#scanner.next()) return;
    const { start, end } = this.#scanner.record;
    if (found === 'too_long' || end - start > this.#headerLimit) {
      throw new EtlError('ETL_HEADER', `The header of ${name} is longer than ${this.#headerLimit} bytes.`, {
        hint: 'Is it a CSV file?',
      });
    }
    this.#setHeader(mapHeader(headerNames(this.#scanner, name, this.#dialect.quote), columns, name));
    this.#scanner.scanAgain(); // with what a record looks like
  }

  #setHeader(header: HeaderMap | undefined): void {
    this.#header = header;
    this.#scanner.expected = header?.fields ?? 0;
    this.#scanner.oneRecord = !header;
    this.#scanner.set(STATE_FIELDS, header?.fields ?? 0);
    this.#scanner.set(STATE_RECORD_LIMIT, header ? this.#recordLimit : this.#headerLimit);
    if (!header) return;
    this.#scanner.set(STATE_COLUMN_ID, header.id);
    this.#scanner.set(STATE_COLUMN_USER, header.user);
    this.#scanner.set(STATE_COLUMN_IP, header.ip);
    this.#scanner.set(STATE_COLUMN_VALUE, header.value);
  }

  /** The next batch; undefined when there were only empty lines. */
  #fill(block: Block, found: 'records' | 'too_long'): Batch | Promise<Batch> | undefined {
    const { kernel } = this.#options;
    const { state } = this.#scanner;
    let rows = 1;
    if (found === 'too_long') kernel.skip(state, this.#batch);
    else rows = this.#takeRows();
    if (rows > 0) return this.#check.check(block, { rows, header: this.#header!, fields: marksOf(this.#dialect), placeOf: (row) => this.#placeOf(row) });
    return this.#again && this.#scanner.get(STATE_RECORDS) > 0 ? this.#checkAgain(block, this.#readAgain(this.#again)) : undefined;
  }

  #checkAgain(block: Block, rows: number): Batch | Promise<Batch> {
    const { fieldOf, placeOf } = this.#again!;
    return this.#check.check(block, { rows, header: this.#header!, fields: fieldOf, placeOf });
  }

  /** As the kernel's `skip`, of a record that is not in the window any more. */
  #rejectLate(block: Block, { ptr, bytes, place }: LateReject): Batch | Promise<Batch> {
    const { memory } = this.#options;
    const words = [[BATCH_RECORD_START, ptr], [BATCH_RECORD_END, ptr + bytes], [BATCH_STATUS, REJECT_RECORD_TOO_LONG]] as const;
    for (const [column, word] of words) memory.u32(this.#batch + column, 1)[0] = word;
    for (const [, length] of Object.values(BATCH_FIELDS)) memory.u32(this.#batch + length, 1)[0] = 0;
    this.#window.late = undefined;
    return this.#check.check(block, { rows: 1, header: this.#header!, fields: marksOf(this.#dialect), placeOf: () => place });
  }

  #takeRows(): number {
    this.#scanner.set(STATE_SCRATCH, this.#batch + BATCH_BYTES);
    this.#scanner.set(STATE_SCRATCH_END, this.#batch + BATCH_BYTES + SCRATCH_BYTES);
    return this.#options.kernel.fields(this.#scanner.state, this.#batch) >>> 0;
  }

  /** Rows of the next record, whose quotes are malformed. */
  #readAgain(again: RereadRows): number {
    const scanner = this.#scanner;
    if (!scanner.next()) throw new EtlError('ETL_INTERNAL', 'A malformed record was expected.');
    const { record: { start, end, first, next }, window, index } = scanner;
    const problem = fieldProblem(index.subarray(first, next).find((entry) => fieldProblem(entry) !== undefined)!);
    const place = { line: scanner.lineOf(start), byte: this.#window.byteOf(start) };
    return again.read(Buffer.from(window.subarray(start, end)), place, this.#dialect, this.#header!, problem === 'bad_quote' ? REJECT_BAD_QUOTE : REJECT_UNTERMINATED_QUOTE);
  }

  #placeOf(row: number): RecordPlace {
    const start = this.#options.memory.u32(this.#batch + BATCH_RECORD_START + 4 * row, 1)[0]!;
    const position = start - this.#scanner.get(STATE_BASE);
    return { line: this.#scanner.lineOf(position), byte: this.#window.byteOf(position) };
  }

  get #headerLimit(): number {
    return Math.min(this.#recordLimit, HEADER_BYTES);
  }
}
