/**
 * Blocks -> batches, as block-parser.ts, for inputs whose dialect the kernel does not take: some 15 MB/s. Records are framed
 * (framer.ts), csv-parse says what their fields hold, and the wanted ones are copied into the batch, from where the kernel
 * reads values. Rows, rejects, lines and bytes do not depend on how an input is cut into blocks. One parser has all blocks.
 *
 * Memory: the block's bytes and the unfinished record in the heap, the fields of as many records as a batch or WINDOW_BYTES
 * hold, and a batch with its scratch.
 */
import { isUtf8 } from 'node:buffer';
import { RFC_4180, type Dialect } from '../core/dialect.ts';
import { EtlError } from '../core/errors.ts';
import { DEFAULT_MAX_RECORD } from '../core/options.ts';
import type { Batch, Block } from '../core/stage.ts';
import {
  BATCH_BYTES, BATCH_ROWS, REJECT_BAD_QUOTE, REJECT_FIELD_COUNT, REJECT_INVALID_UTF8, REJECT_RECORD_TOO_LONG, REJECT_UNTERMINATED_QUOTE,
} from '../kernels/layout.ts';
import type { BlockParserOptions } from './block-parser.ts';
import { BatchCheck, type RecordPlace } from './checked-batch.ts';
import { Framer, type Frame } from './framer.ts';
import { loadFieldReader, textOf, type FieldReader } from './general-fields.ts';
import { fieldsOf } from './general-records.ts';
import { mapHeader, type HeaderMap } from './header.ts';
import { latin1Dialect, leastReading } from './least-reading.ts';
import { countLineEnds } from './lines.ts';
import { Preamble } from './preamble.ts';
import { RowWriter, SCRATCH_BYTES } from './row-writer.ts';

/** Records are read by csv-parse until they have so many bytes, or one has more. */
const WINDOW_BYTES = 1 << 17;

const STATUS_OF = { bad_quote: REJECT_BAD_QUOTE, unterminated_quote: REJECT_UNTERMINATED_QUOTE, record_too_long: REJECT_RECORD_TOO_LONG } as const;

/** A record that waits for its batch. */
interface Waiting {
  readonly frame: Pick<Frame, 'start' | 'end' | 'line' | 'problem'>;
  /** As latin1; undefined: it is malformed. */
  readonly fields: readonly string[] | undefined;
}

const EMPTY = Buffer.alloc(0);

export class GeneralParser {
  readonly #options: BlockParserOptions;
  readonly #recordLimit: number;
  readonly #batch: number;
  readonly #rows: RowWriter;
  readonly #check: BatchCheck;
  /** Of a row of the batch. */
  readonly #fieldOf = (row: number, place: number): Buffer => Buffer.from(this.#taking[row]!.fields?.[place] ?? '', 'latin1');
  #block: Block | undefined;
  // Of the block's input.
  #dialect: Dialect = RFC_4180;
  #framer!: Framer;
  #read!: FieldReader;
  #preamble = new Preamble(0);
  #header: HeaderMap | undefined;
  /** Bytes that are not done with, where they begin behind the preamble, and what of them is not framed yet. */
  #bytes: Buffer = EMPTY;
  #offset = 0;
  #at = 0;
  #waiting: Waiting[] = [];
  #taken = 0;
  /** The records of the batch. */
  #taking: Waiting[] = [];
  #closed = false;

  /** Throws ETL_MEMORY. */
  constructor(options: BlockParserOptions) {
    this.#options = options;
    this.#recordLimit = options.maxRecordBytes ?? DEFAULT_MAX_RECORD;
    this.#batch = options.memory.slab(BATCH_BYTES + SCRATCH_BYTES, 'a batch');
    this.#rows = new RowWriter(options.memory, this.#batch);
    this.#check = new BatchCheck(options, this.#batch, this.#recordLimit, () => this.#opened());
  }

  async begin(block: Block): Promise<void> {
    const { memory, rejects } = this.#options;
    this.#opened();
    if (block.index === 0) await this.#beginInput(block);
    this.#opened();
    const rest = this.#preamble.rest(memory.bytes(block.ptr, block.length), block.last);
    this.#bytes = Buffer.concat([this.#bytes, rest]);
    this.#block = block;
    rejects.begin(block.sequence);
  }

  /** See Pieces.next. Throws ETL_HEADER when the input's header does not fit the columns. */
  next(): Batch | undefined | Promise<Batch | undefined> {
    const block = this.#block;
    if (!block) throw new EtlError('ETL_INTERNAL', 'A batch was asked for, but no block was begun.');
    if (!this.#header && !this.#readHeader(block)) return this.#end(block);
    const rows = this.#fill(block);
    if (rows === 0) return this.#end(block);
    return this.#check.check(block, { rows, header: this.#header!, fields: this.#fieldOf, placeOf: (row) => this.#placeOf(this.#taking[row]!.frame) });
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.memory.giveSlab(this.#batch, BATCH_BYTES + SCRATCH_BYTES);
  }

  #opened(): void {
    if (this.#closed) throw new EtlError('ETL_ABORTED', 'The parse stage was stopped.');
  }

  async #beginInput({ input }: Block): Promise<void> {
    const { columns } = this.#options;
    this.#dialect = input.dialect ?? RFC_4180;
    const { header, names, skipLines } = this.#dialect;
    this.#framer = new Framer(this.#dialect, this.#recordLimit);
    this.#read = await loadFieldReader(this.#dialect);
    this.#preamble = new Preamble(skipLines);
    this.#bytes = EMPTY;
    this.#at = 0;
    this.#offset = 0;
    this.#setHeader(header ? undefined : mapHeader(names, columns, input.name));
  }

  /** False when it has not come yet. */
  #readHeader({ input, last }: Block): boolean {
    const frame = this.#nextFrame(last);
    if (!frame) {
      if (last && this.#framer.emptyLines > 0) mapHeader([], this.#options.columns, input.name);
      return false;
    }
    if (frame.problem === 'record_too_long') {
      throw new EtlError('ETL_HEADER', `The header of ${input.name} is longer than ${this.#recordLimit} bytes.`, { hint: 'Is it a CSV file?' });
    }
    const [names] = fieldsOf(this.#bytes, [frame], this.#read);
    if (!names) {
      throw new EtlError('ETL_HEADER', `The header of ${input.name} has a misplaced quote.`, {
        hint: 'A name with quotes in it must be quoted as a whole, its quotes doubled (or escaped, as --escape says).',
      });
    }
    this.#setHeader(mapHeader(names.map(textOf), this.#options.columns, input.name));
    return true;
  }

  #setHeader(header: HeaderMap | undefined): void {
    this.#header = header;
    this.#framer.width = header?.fields ?? 0;
  }

  #nextFrame(last: boolean): Frame | undefined {
    const frame = this.#framer.next(this.#bytes, this.#at, this.#bytes.length, last);
    this.#at = frame ? frame.next : this.#framer.resume;
    return frame;
  }

  /** Rows of the next batch. */
  #fill(block: Block): number {
    this.#rows.clear();
    this.#taking = [];
    for (;;) {
      if (this.#taken === this.#waiting.length && !this.#frameMore(block.last)) break;
      const next = this.#waiting[this.#taken]!;
      if (!this.#take(next)) break;
      this.#taking.push(next);
      this.#taken++;
    }
    return this.#rows.length;
  }

  #frameMore(last: boolean): boolean {
    const frames: Frame[] = [];
    for (let bytes = 0; frames.length < BATCH_ROWS && bytes < WINDOW_BYTES; ) {
      const frame = this.#nextFrame(last);
      if (!frame) break;
      frames.push(frame);
      bytes += frame.end - frame.start;
    }
    const fields = fieldsOf(this.#bytes, frames, this.#read);
    this.#waiting = frames.flatMap((frame, at) => this.#repaired(frame, fields[at]));
    this.#taken = 0;
    return frames.length > 0;
  }

  /** The record, or what it was most likely meant to be. */
  #repaired(frame: Frame, fields: readonly string[] | undefined): Waiting[] {
    if (fields || frame.problem === 'record_too_long' || !this.#options.repair) return [{ frame, fields }];
    const raw = this.#bytes.toString('latin1', frame.start, frame.end);
    const read = leastReading(raw, latin1Dialect(this.#dialect), this.#header!.fields);
    return read?.map(({ from, to, fields }) => ({
      frame: { start: frame.start + from, end: frame.start + to, line: frame.line + countLineEnds(this.#bytes, frame.start, frame.start + from), problem: undefined },
      fields,
    })) ?? [{ frame, fields }];
  }

  /** False when the batch has no room for it. */
  #take({ frame, fields }: Waiting): boolean {
    const { fields: width, id, user, ip, value } = this.#header!;
    const raw = this.#bytes.subarray(frame.start, frame.end);
    if (!fields) return this.#rows.reject(raw, STATUS_OF[frame.problem ?? 'bad_quote']);
    if (fields.length !== width && !this.#options.repair) return this.#rows.reject(raw, REJECT_FIELD_COUNT, fields.length);
    if (!isUtf8(raw)) return this.#rows.reject(raw, REJECT_INVALID_UTF8);
    return this.#rows.add(raw, [id, user, ip, value].map((place) => Buffer.from(fields[place] ?? '', 'latin1')));
  }

  #placeOf({ start, line }: Waiting['frame']): RecordPlace {
    const { lines, bytes } = this.#preamble.skipped;
    return { line: lines + line, byte: bytes + this.#offset + start };
  }

  #end(block: Block): undefined | Promise<undefined> {
    this.#options.counters.emptyLines += this.#framer.emptyLines;
    this.#framer.emptyLines = 0;
    if (block.last && this.#framer.isLost) this.#check.refuse(block);
    this.#bytes = Buffer.from(this.#bytes.subarray(this.#at));
    this.#offset += this.#at;
    this.#at = 0;
    this.#block = undefined;
    return this.#options.rejects.end()?.then(() => undefined);
  }
}
