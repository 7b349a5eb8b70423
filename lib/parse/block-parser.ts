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
import { addTo, type Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { RFC_4180, type Dialect } from '../core/dialect.ts';
import { DEFAULT_MAX_RECORD } from '../core/options.ts';
import { STATUSES, type RejectSink } from '../core/rejects.ts';
import type { Rule } from '../core/rules.ts';
import { CARRIED_BYTES, type Batch, type Block } from '../core/stage.ts';
import { BATCH_BYTES, BATCH_RECORD_START, BATCH_STATUS, MAX_FOLDED_BYTES, REJECT_NONE, REJECT_RECORD_TOO_LONG } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  MODE_SKIP, STATE_BASE, STATE_COLUMN_ID, STATE_COLUMN_IP, STATE_COLUMN_USER, STATE_COLUMN_VALUE, STATE_EMPTY_LINES, STATE_FIELDS,
  STATE_MODE, STATE_RECORD_LIMIT, STATE_SCRATCH, STATE_SCRATCH_END,
} from '../kernels/parse-layout.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { describeReject } from './describe-reject.ts';
import { headerNames, mapHeader, type HeaderMap, type WantedColumns } from './header.ts';
import { unescapeRows } from './mended.ts';
import { marksOf } from './record-fields.ts';
import { Relay } from './relay.ts';
import { RowRules } from './row-rules.ts';
import { INPUT_START, isLost, Scanner, type Cut } from './scanner.ts';

/** Scratch of a batch: holds any row's. Only fields with doubled quotes need any. */
const SCRATCH_BYTES = 4 * MAX_FOLDED_BYTES;
/** Most bytes of a header. */
const HEADER_BYTES = CARRIED_BYTES;
const SLACK = 128;

export interface BlockParserOptions {
  readonly memory: LinearMemory;
  /** `loadKernel('parse', memory)` or `createParseTwin(memory)`. */
  readonly kernel: ParseKernel;
  readonly counters: Counters;
  readonly rejects: RejectSink;
  readonly columns: WantedColumns;
  /** Of the run, see core/rules.ts; default: none, not even bounds of the value. `columns.ruled` has the columns that they name. */
  readonly rules?: readonly Rule[] | undefined;
  /** Decimal places that values keep, see `readSample`. */
  readonly scale: number;
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
  readonly #rules: RowRules;
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
  #dialect: Dialect = RFC_4180;
  /** Of the block's input. Where the last record that was too long begins. */
  #longRecord = { line: 0, byte: 0 };
  #header: HeaderMap | undefined;
  /** Whether there were any before this block. */
  #emptyLines = false;
  #closed = false;

  /** Throws ETL_MEMORY. */
  constructor(options: BlockParserOptions) {
    this.#options = options;
    this.#recordLimit = options.maxRecordBytes ?? DEFAULT_MAX_RECORD;
    const { memory, kernel, relay, repair = false, relayBytes = this.#recordLimit + CARRIED_BYTES + SLACK, rules = [], columns, scale } = options;
    this.#rules = new RowRules(memory, rules, columns, scale);
    this.#batch = memory.slab(BATCH_BYTES + SCRATCH_BYTES, 'a batch');
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
        const rows = this.#fill(found);
        if (rows > 0) return this.#checked(block, rows);
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
    memory.giveSlab(this.#batch, BATCH_BYTES + SCRATCH_BYTES);
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
    this.#longRecord = longRecord;
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
    this.#assertRoom(block, cut, bytes + SLACK);
    this.#scanner.open(ptr, length, false, { ...cut, bytes: 0, mode: cut.endMode | MODE_SKIP });
    const isDecided = this.#scanner.endsRecord() || last || bytes > this.#recordLimit;
    this.#relay.putBehind(ptr, length);
    this.#blockAt = this.#relay.unfinishedAt + cut.bytes;
    if (isDecided) this.#scanner.open(this.#blockAt, length, last, cut);
    else this.#more = { ...cut, bytes, endMode: this.#scanner.get(STATE_MODE) & ~MODE_SKIP };
  }

  #assertRoom({ input }: Block, { line, bytes }: Cut, wanted: number): void {
    if (wanted <= this.#relay.room) return;
    throw new EtlError('ETL_MEMORY', `The record of ${input.name} that begins in line ${line} has ${bytes} bytes or more: there is no room for so long a record.`, {
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
    if (isLost(this.#cut(block))) this.#refuse(block);
  }

  #cut(block: Block): Cut {
    const cut = this.#scanner.cut();
    if (cut.longFrom !== undefined) this.#longRecord = { line: cut.longLine, byte: this.#byteOf(block, cut.longFrom) };
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
      this.#assertRoom(block, cut, cut.bytes);
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
    return block.offset + this.#scanner.get(STATE_BASE) + position - this.#blockAt;
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

  /** Rows of the next batch; 0 when there were only empty lines. */
  #fill(found: 'records' | 'too_long'): number {
    const { kernel } = this.#options;
    const { state } = this.#scanner;
    if (found === 'too_long') {
      kernel.skip(state, this.#batch);
      return 1;
    }
    this.#scanner.set(STATE_SCRATCH, this.#batch + BATCH_BYTES);
    this.#scanner.set(STATE_SCRATCH_END, this.#batch + BATCH_BYTES + SCRATCH_BYTES);
    return kernel.fields(state, this.#batch) >>> 0;
  }

  get #headerLimit(): number {
    return Math.min(this.#recordLimit, HEADER_BYTES);
  }

  #checked(block: Block, rows: number): Batch | Promise<Batch> {
    const { kernel, counters, scale, memory } = this.#options;
    const batch: Batch = { ptr: this.#batch, rows, input: block.input, block: block.index };
    if (this.#header!.mended) unescapeRows(memory, this.#batch, rows);
    const unread = kernel.values(this.#batch, rows, scale, this.#rules.least, this.#rules.most) >>> 0;
    const rejected = unread + this.#rules.check(this.#batch, rows, this.#header!, marksOf(this.#dialect));
    counters.read += rows;
    addTo(counters.readBy, block.input.number, rows);
    counters.rejected += rejected;
    const told = rejected > 0 ? this.#tellRejects(block, rows, 0) : undefined;
    return told ? told.then(() => batch) : batch;
  }

  /** A promise when the sink wants its lines to be waited for. */
  #tellRejects(block: Block, rows: number, from: number): Promise<void> | undefined {
    const { memory, columns: { ruled = [], ...columns }, rules = [], scale, counters, rejects } = this.#options;
    const context = { memory, columns, rules, ruled, scale, header: this.#header!, marks: marksOf(this.#dialect), recordLimit: this.#recordLimit };
    const statuses = memory.u32(this.#batch + BATCH_STATUS, rows);
    const starts = memory.u32(this.#batch + BATCH_RECORD_START, rows);
    for (let row = from; row < rows; row++) {
      const status = statuses[row]!;
      if (status === REJECT_NONE) continue;
      addTo(counters.rejectedBy, status, 1);
      addTo(counters.rejectedIn, block.input.number * STATUSES + status, 1);
      const position = starts[row]! - this.#scanner.get(STATE_BASE);
      const line = this.#scanner.lineOf(position);
      const byte = this.#byteOf(block, position);
      if (status === REJECT_RECORD_TOO_LONG) this.#longRecord = { line, byte };
      const { fieldOffset, ...reject } = describeReject(this.#batch, row, context);
      const fieldByte = fieldOffset === undefined ? undefined : byte + fieldOffset;
      if (rejects.write({ file: block.input.name, line, byte, fieldByte, ...reject })) {
        return rejects.drained().then(() => {
          this.#opened();
          return this.#tellRejects(block, rows, row + 1);
        });
      }
    }
    return undefined;
  }
}
