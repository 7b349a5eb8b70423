/**
 * lane 1, second stage: blocks -> batches. Blocks come in order, though not all of them to the stage of each thread; batches
 * go on in the order of their blocks. Every record of an input is in exactly one batch, as a row, but for the header and
 * empty lines. A batch holds records of one block: those that end in it. What the end of a block leaves to the next is in
 * the relay, so rows, rejects and errors are those of a single stage, however many take turns.
 *
 * Rows that cannot be counted stay in their batch with a status, and go to `rejects` before the batch goes on.
 * A block is released when its batches are. Memory: `slots` batches with scratch for unfolded quotes, one large scratch for
 * a record that needs more, and the index (scanner.ts), whatever the input; a record longer than `maxRecordBytes` is
 * rejected and its rest passed over. Given back when the stream has ended and the last batch is released, or at once when
 * it is destroyed; then the relay is stopped, for no other stage could go on.
 * What a record is: README.md in this room.
 */
import { Transform, type TransformCallback } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import type { ColumnNames } from '../core/options.ts';
import type { RejectSink } from '../core/rejects.ts';
import { MAX_RECORD_BYTES, releaseOnce, type Batch, type Block } from '../core/stage.ts';
import { BATCH_BYTES, BATCH_RECORD_START, BATCH_STATUS, REJECT_NONE, REJECT_RECORD_TOO_LONG } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { SlabPool } from '../kernels/slab-pool.ts';
import {
  STATE_BASE, STATE_COLUMN_ID, STATE_COLUMN_IP, STATE_COLUMN_USER, STATE_COLUMN_VALUE, STATE_EMPTY_LINES, STATE_FIELDS,
  STATE_RECORDS, STATE_SCRATCH, STATE_SCRATCH_END,
} from '../kernels/parse-layout.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { describeReject } from './describe-reject.ts';
import { headerNames, mapHeader, type HeaderMap } from './header.ts';
import { Relay } from './relay.ts';
import { isLost, Scanner, type Dialect } from './scanner.ts';

/** One being filled, one being routed, one waiting between them. */
const SLOTS = 3;
/** Scratch of a batch. Only fields with doubled quotes need any. */
const SCRATCH_BYTES = 1 << 16;

export interface ParseStageOptions extends Dialect {
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
  /** Batches that may be out at once. */
  readonly slots?: number;
  /**
   * What the stages of several threads share, made for `maxRecordBytes`: they hand it on as early as they can. Default: one
   * of its own, for a stage that has all blocks.
   */
  readonly relay?: Relay;
}

/** The stage: Block in, Batch out. Fails with ETL_HEADER when an input's header does not fit `columns`. */
export function createParseStage(options: ParseStageOptions): Transform {
  return new ParseStage(options);
}

class ParseStage extends Transform {
  readonly #options: ParseStageOptions;
  readonly #scanner: Scanner;
  readonly #recordLimit: number;
  /** Batches, each followed by its scratch. */
  readonly #slots: SlabPool;
  readonly #scratchBytes: number;
  /** The scratch that holds any record. */
  readonly #largeScratch: SlabPool;
  readonly #relay: Relay;
  /** Of the input whose block is being parsed. Where the last record that was too long begins. */
  #longRecord = { line: 0, byte: 0 };
  #header: HeaderMap | undefined;
  /** Whether there were any before this block. */
  #emptyLines = false;

  constructor(options: ParseStageOptions) {
    super({ objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: 1 });
    this.#options = options;
    this.#recordLimit = options.maxRecordBytes ?? MAX_RECORD_BYTES;
    this.#scratchBytes = Math.min(SCRATCH_BYTES, this.#recordLimit);
    const { memory, relay } = options;
    this.#slots = new SlabPool(memory, options.slots ?? SLOTS, BATCH_BYTES + this.#scratchBytes, 'batches');
    this.#largeScratch = new SlabPool(memory, 1, this.#recordLimit, 'unfolded quotes');
    this.#scanner = new Scanner({ ...options, recordLimit: this.#recordLimit, ahead: relay !== undefined });
    this.#relay = relay ?? Relay.create(memory, this.#recordLimit);
  }

  override _transform(block: Block, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#parse(new HeldBlock(block)).then(() => callback(), callback);
  }

  override _flush(callback: TransformCallback): void {
    this.#finish().then(() => callback(), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#scanner.close();
    if (!this.readableEnded) this.#relay.stop();
    if (!this.#options.relay) this.#relay.free(this.#recordLimit);
    for (const pool of [this.#slots, this.#largeScratch]) {
      if (this.readableEnded) pool.end();
      else pool.close();
    }
    callback(error);
  }

  async #finish(): Promise<void> {
    if (!this.#options.relay) this.#relay.assertEnded();
    await this.#options.rejects.drained();
  }

  async #parse(held: HeldBlock): Promise<void> {
    const { block } = held;
    const { rejects } = this.#options;
    try {
      const turn = this.#relay.take(block.sequence);
      if (turn) await turn;
      if (this.destroyed) throw stopped();
      this.#open(block);
      rejects.begin(block.sequence);
      for (let passed = false; ;) {
        // The relay goes on before the input's last record is ended, unless that is the header: errors come in order.
        const found = this.#scanner.scan(block.last && (passed || !this.#header));
        if (found !== 'end' && !this.#header) {
          this.#readHeader(block, found);
        } else if (!passed && (found === 'end' || this.#scanner.atEnd)) {
          this.#pass(block);
          passed = true;
        } else if (found === 'end') {
          break;
        } else {
          const filled = this.#fillBatch(held, found);
          if (filled) await filled;
        }
      }
      this.#options.counters.emptyLines += this.#scanner.get(STATE_EMPTY_LINES);
      this.#scanner.set(STATE_EMPTY_LINES, 0);
      const handedOn = rejects.end();
      if (handedOn) await handedOn;
    } finally {
      held.release();
    }
  }

  /** Takes up what the block before left. */
  #open(block: Block): void {
    const { cut, header, emptyLines, longRecord } = this.#relay.state;
    if (cut.bytes > block.headroom) {
      throw new EtlError('ETL_INTERNAL', `A record of ${cut.bytes} bytes does not fit a headroom of ${block.headroom}.`);
    }
    this.#relay.copyUnfinished(block.ptr);
    this.#scanner.open(block.ptr, block.length, block.last, cut);
    this.#setHeader(header);
    this.#emptyLines = emptyLines;
    this.#longRecord = longRecord;
  }

  /** Leaves to the next block what it has to know. */
  #pass(block: Block): void {
    if (this.destroyed) throw stopped();
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

  /** Fills a batch and sends it on; a promise when that has to wait, for a slot or for rejects to be written. */
  #fillBatch(held: HeldBlock, found: 'records' | 'too_long'): Promise<void> | undefined {
    const slot = this.#slots.take();
    return typeof slot === 'number' ? this.#fillSlot(slot, held, found) : slot.then((ptr) => this.#fillSlot(ptr, held, found));
  }

  #fillSlot(ptr: number, held: HeldBlock, found: 'records' | 'too_long'): Promise<void> | undefined {
    if (this.destroyed) throw stopped();
    const { kernel } = this.#options;
    const { state } = this.#scanner;
    this.#setScratch(ptr + BATCH_BYTES, this.#scratchBytes);
    let rows = 1;
    if (found === 'records') rows = kernel.fields(state, ptr) >>> 0;
    else kernel.skip(state, ptr);
    if (rows > 0) return this.#send(held, ptr, rows);
    if (this.#scanner.get(STATE_RECORDS) > 0) return this.#fillLarge(held, ptr);
    this.#slots.give(ptr);
    return undefined;
  }

  /** The next record has more to unfold than the batch's own scratch holds. */
  async #fillLarge(held: HeldBlock, ptr: number): Promise<void> {
    const scratch = await this.#largeScratch.take();
    if (this.destroyed) throw stopped();
    this.#setScratch(scratch, this.#recordLimit);
    const rows = this.#options.kernel.fields(this.#scanner.state, ptr) >>> 0;
    await this.#send(held, ptr, rows, () => this.#largeScratch.give(scratch));
  }

  #setScratch(at: number, bytes: number): void {
    this.#scanner.set(STATE_SCRATCH, at);
    this.#scanner.set(STATE_SCRATCH_END, at + bytes);
  }

  #send(held: HeldBlock, ptr: number, rows: number, giveScratch?: () => void): Promise<void> | undefined {
    const { kernel, counters, scale } = this.#options;
    const rejected = kernel.values(ptr, rows, scale) >>> 0;
    counters.read += rows;
    counters.rejected += rejected;
    if (rejected > 0) {
      return this.#sendRejects(held.block, ptr, rows).then(() => {
        this.push(this.#batch(held, ptr, rows, giveScratch));
      });
    }
    this.push(this.#batch(held, ptr, rows, giveScratch));
    return undefined;
  }

  async #sendRejects(block: Block, batch: number, rows: number): Promise<void> {
    const { memory, columns, scale, counters, rejects } = this.#options;
    const context = { memory, columns, scale, fields: this.#header!.fields, recordLimit: this.#recordLimit };
    const statuses = memory.u32(batch + BATCH_STATUS, rows);
    const starts = memory.u32(batch + BATCH_RECORD_START, rows);
    for (let row = 0; row < rows; row++) {
      const status = statuses[row]!;
      if (status === REJECT_NONE) continue;
      counters.rejectedBy.set(status, (counters.rejectedBy.get(status) ?? 0) + 1);
      const position = starts[row]! - this.#scanner.get(STATE_BASE);
      const line = this.#scanner.lineOf(position);
      const byte = this.#byteOf(block, position);
      if (status === REJECT_RECORD_TOO_LONG) this.#longRecord = { line, byte };
      if (rejects.write({ file: block.input.name, line, byte, ...describeReject(batch, row, context) })) {
        await rejects.drained();
        if (this.destroyed) throw stopped();
      }
    }
  }

  #batch(held: HeldBlock, ptr: number, rows: number, giveScratch?: () => void): Batch {
    const { input, index } = held.block;
    held.hold();
    const release = releaseOnce('A batch', () => {
      giveScratch?.();
      this.#slots.give(ptr);
      held.release();
    });
    return { ptr, rows, input, block: index, release };
  }
}

/** A block and how many need it: the stage, while it parses it, and each batch. */
class HeldBlock {
  readonly block: Block;
  #holders = 1;

  constructor(block: Block) {
    this.block = block;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) this.block.release();
  }
}

function stopped(): EtlError {
  return new EtlError('ETL_ABORTED', 'The parse stage was stopped.');
}
