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
 * rejected and its rest passed over. One that does not fit before a block is gathered in the relay, which then is not passed on
 * before all batches are. What a record is: README.md.
 */
import { RFC_4180, type Dialect } from '../core/dialect.ts';
import { EtlError } from '../core/errors.ts';
import { DEFAULT_MAX_RECORD } from '../core/options.ts';
import { CARRIED_BYTES, type Batch, type Block } from '../core/stage.ts';
import {
  BATCH_BYTES, BATCH_ID_LEN, BATCH_IP_LEN, BATCH_RECORD_END, BATCH_RECORD_START, BATCH_STATUS, BATCH_USER_LEN, BATCH_VALUE_LEN, MAX_FOLDED_BYTES,
  REJECT_BAD_QUOTE, REJECT_RECORD_TOO_LONG, REJECT_UNTERMINATED_QUOTE,
} from '../kernels/layout.ts';
import {
  MODE_SKIP, STATE_BASE, STATE_COLUMN_ID, STATE_COLUMN_IP, STATE_COLUMN_USER, STATE_COLUMN_VALUE, STATE_EMPTY_LINES, STATE_FIELDS,
  STATE_MODE, STATE_RECORDS, STATE_RECORD_LIMIT, STATE_SCRATCH, STATE_SCRATCH_END,
} from '../kernels/parse-layout.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
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
const SLACK = 128;

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
  readonly #check: BatchCheck;
  /** To repair. */
  readonly #again: RereadRows | undefined;
  readonly #batchBytes: number;
  #block: Block | undefined;
  /** Whether the relay has gone on to the next block. */
  #passed = false;
  /** Where the block's bytes stand: behind the record in the relay, if that is too long to stand before them. */
  #blockAt = 0;
  #isInRelay = false;
  /** The block has nothing but more of a record that stands in the relay. */
  #more: Cut | undefined;
  /** All but the input's last record was taken. */
  #isEndSeen = false;
  /** A record that found no room, and is too long: what the relay has of it is still to be rejected. */
  #late: { readonly bytes: number; readonly place: RecordPlace } | undefined;
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
    if (this.#late) return this.#rejectLate(block, this.#late);
    if (this.#again?.isWaiting) return this.#checkAgain(block, this.#again.fill(this.#header!));
    for (;;) {
      // The relay goes on before the input's last record is ended, unless that is the header: errors come in order.
      const found = this.#scanner.scan(block.last && (this.#passed || !this.#header || this.#isEndSeen));
      if (found !== 'end' && !this.#header) {
        this.#readHeader(block, found);
      } else if (!this.#passed && (found === 'end' || (this.#scanner.atEnd && !this.#isInRelay))) {
        if (this.#isInRelay && block.last && !this.#isEndSeen) this.#seeEnd(block);
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
    this.#blockAt = block.ptr;
    this.#isInRelay = cut.bytes > block.headroom;
    this.#isEndSeen = false;
    this.#more = undefined;
    this.#emptyLines = emptyLines;
    this.#check.longRecord = longRecord;
    this.#passed = false;
    this.#options.rejects.begin(block.sequence);
    if (this.#isInRelay) return this.#openBehind(block, cut);
    this.#relay.copyUnfinished(block.ptr);
    this.#scanner.open(block.ptr, block.length, block.last, cut);
  }

  /**
   * The unfinished record is too long to stand before the block. The block is put behind it, and looked at together with it if the
   * record ends there, or shows to be too long; so each byte is scanned twice at most.
   */
  #openBehind(block: Block, cut: Cut): void {
    const { ptr, length, last } = block;
    const bytes = cut.bytes + length;
    this.#scanner.open(ptr, length, false, { ...cut, bytes: 0, mode: cut.endMode | MODE_SKIP });
    const end = this.#scanner.endOfRecord();
    this.#blockAt = this.#relay.unfinishedAt + cut.bytes;
    if (bytes + SLACK > this.#relay.room) return this.#openWithoutRoom(block, cut, end);
    this.#relay.putBehind(ptr, length);
    if (end !== undefined || last || bytes > this.#recordLimit) this.#scanner.open(this.#blockAt, length, last, cut);
    else this.#gatherMore(cut, bytes);
  }

  #gatherMore(cut: Cut, bytes: number): void {
    this.#more = { ...cut, bytes, endMode: this.#scanner.get(STATE_MODE) & ~MODE_SKIP };
  }

  /**
   * There is no room for such a record, only for its first bytes. It may still turn out to be too long, and nothing but a reject; though not
   * if there are line ends in it, for then what it takes may have to be read again. `end`: where it ends in the block, if it does.
   */
  #openWithoutRoom(block: Block, cut: Cut, end: number | undefined): void {
    const { ptr, length, last } = block;
    const bytes = cut.bytes + (end ?? length);
    const kept = Math.min(cut.bytes, this.#relay.room);
    const lines = this.#options.kernel.countLines(this.#relay.unfinishedAt, kept, 0) + this.#scanner.countLines(0, end ?? length);
    if (lines > 0 || (bytes <= this.#recordLimit && (end !== undefined || last))) throw this.#noRoom(block, cut);
    if (bytes <= this.#recordLimit) return this.#gatherMore(cut, bytes);
    this.#blockAt = ptr;
    this.#isInRelay = false;
    this.#late = { bytes: kept, place: { line: cut.line, byte: block.offset - cut.bytes } };
    this.#scanner.open(ptr, length, last, { ...cut, bytes: 0, mode: cut.endMode | MODE_SKIP });
  }

  #noRoom({ input }: Block, { line, bytes }: Cut): EtlError {
    return new EtlError('ETL_MEMORY', `The record of ${input.name} that begins in line ${line} has ${bytes} bytes or more: there is no room for so long a record.`, {
      hint: `Give the run more memory (--memory), or make it a reject by --max-record: ${CARRIED_BYTES} bytes always fit.`,
    });
  }

  /** The header of an input that has none. */
  #givenHeader({ input }: Block): HeaderMap | undefined {
    const { header, names } = this.#dialect;
    return header ? undefined : mapHeader(names, this.#options.columns, input.name);
  }

  /** The input ends with the window, all of which is scanned; its last record may still have to be ended. */
  #seeEnd(block: Block): void {
    this.#isEndSeen = true;
    if (isLost(this.#cut(block))) this.#check.refuse(block);
  }

  #cut(block: Block): Cut {
    const cut = this.#scanner.cut();
    if (cut.bytes > this.#relay.room && cut.lines > 0) throw this.#noRoom(block, cut);
    if (cut.longFrom !== undefined) this.#check.longRecord = { line: cut.longLine, byte: this.#byteOf(block, cut.longFrom) };
    return cut;
  }

  /** Leaves to the next block what it has to know. */
  #pass(block: Block): void {
    const end = this.#blockAt + block.length;
    const emptyLines = this.#emptyLines || this.#scanner.get(STATE_EMPTY_LINES) > 0;
    if (block.last) {
      if (!this.#isEndSeen) this.#seeEnd(block);
      if (!this.#header && emptyLines) mapHeader([], this.#options.columns, block.input.name);
      this.#relay.pass(undefined, end);
    } else {
      const cut = this.#more ?? this.#cut(block);
      this.#relay.pass({ cut, header: this.#header, emptyLines, longRecord: this.#check.longRecord }, end);
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
    return block.offset + this.#scanner.get(STATE_BASE) + position - this.#blockAt;
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
    if (rows > 0) return this.#check.check(block, { rows, header: this.#header!, fields: marksOf(this.#dialect), placeOf: (row) => this.#placeOf(block, row) });
    return this.#again && this.#scanner.get(STATE_RECORDS) > 0 ? this.#checkAgain(block, this.#readAgain(block, this.#again)) : undefined;
  }

  #checkAgain(block: Block, rows: number): Batch | Promise<Batch> {
    const { fieldOf, placeOf } = this.#again!;
    return this.#check.check(block, { rows, header: this.#header!, fields: fieldOf, placeOf });
  }

  /** As the kernel's `skip`, of a record that is not in the window any more. */
  #rejectLate(block: Block, { bytes, place }: { readonly bytes: number; readonly place: RecordPlace }): Batch | Promise<Batch> {
    const { memory } = this.#options;
    const { unfinishedAt } = this.#relay;
    const words = [[BATCH_RECORD_START, unfinishedAt], [BATCH_RECORD_END, unfinishedAt + bytes], [BATCH_STATUS, REJECT_RECORD_TOO_LONG]] as const;
    for (const [column, word] of words) memory.u32(this.#batch + column, 1)[0] = word;
    for (const length of [BATCH_ID_LEN, BATCH_USER_LEN, BATCH_IP_LEN, BATCH_VALUE_LEN]) memory.u32(this.#batch + length, 1)[0] = 0;
    this.#late = undefined;
    return this.#check.check(block, { rows: 1, header: this.#header!, fields: marksOf(this.#dialect), placeOf: () => place });
  }

  #takeRows(): number {
    this.#scanner.set(STATE_SCRATCH, this.#batch + BATCH_BYTES);
    this.#scanner.set(STATE_SCRATCH_END, this.#batch + BATCH_BYTES + SCRATCH_BYTES);
    return this.#options.kernel.fields(this.#scanner.state, this.#batch) >>> 0;
  }

  /** Rows of the next record, whose quotes are malformed. */
  #readAgain(block: Block, again: RereadRows): number {
    const scanner = this.#scanner;
    if (!scanner.next()) throw new EtlError('ETL_INTERNAL', 'A malformed record was expected.');
    const { record: { start, end, first, next }, window, index } = scanner;
    const problem = fieldProblem(index.subarray(first, next).find((entry) => fieldProblem(entry) !== undefined)!);
    const place = { line: scanner.lineOf(start), byte: this.#byteOf(block, start) };
    return again.read(Buffer.from(window.subarray(start, end)), place, this.#dialect, this.#header!, problem === 'bad_quote' ? REJECT_BAD_QUOTE : REJECT_UNTERMINATED_QUOTE);
  }

  #placeOf(block: Block, row: number): RecordPlace {
    const start = this.#options.memory.u32(this.#batch + BATCH_RECORD_START + 4 * row, 1)[0]!;
    const position = start - this.#scanner.get(STATE_BASE);
    return { line: this.#scanner.lineOf(position), byte: this.#byteOf(block, position) };
  }

  get #headerLimit(): number {
    return Math.min(this.#recordLimit, HEADER_BYTES);
  }
}
