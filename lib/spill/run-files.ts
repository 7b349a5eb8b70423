/**
 * Run files: sorted runs that did not fit memory, packed in blocks with checksums (kernels/spill-layout.ts).
 *
 * Takes whole rows in run format, in order, and gives them back as a SortedRun, once, front to back. Runs share files (shared-files.ts).
 * Memory: a packing area while a run is written, one half being packed while the other is on its way to the disk; a
 * reading area of `readBytes` from a run's first `fill` to its `close`. Knows rows, nothing of their order.
 */
import { EtlError } from '../core/errors.ts';
import type { SortedRun } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  BLOCK_MOST, BLOCK_SLACK, CURSOR_AT, CURSOR_BYTES, CURSOR_END, CURSOR_NUMBER, CURSOR_SALT, DAMAGED, RUN_BLOCK_BYTES,
} from '../kernels/spill-layout.ts';
import type { SpillKernel } from '../kernels/twins/spill.ts';
import { borrowSection, SharedFiles, type FileSection, type HandedSection, type ReadableSection } from './shared-files.ts';
import type { SpillSpace } from './spill-space.ts';

/** The least that `readBytes` may be: a block, the cursor, and what may be read behind it. */
export const READ_BYTES_LEAST = CURSOR_BYTES + BLOCK_MOST + BLOCK_SLACK;
/** The least that a packing area may have. */
export const PACK_BYTES_LEAST = CURSOR_BYTES + 2 * (BLOCK_MOST + BLOCK_SLACK);
const DEFAULT_READ_BYTES = 64 << 10;
export const DEFAULT_PACK_BYTES = 256 << 10;

export interface RunFilesOptions {
  readonly spill: SpillSpace;
  readonly memory: LinearMemory;
  readonly kernel: SpillKernel;
  /** Bytes of the area that a run is read through, at least READ_BYTES_LEAST. */
  readonly readBytes?: number;
  /** Bytes of the area that a run is packed in, at least PACK_BYTES_LEAST. */
  readonly packBytes?: number;
}

/** One whose run can be handed over. */
export interface RunFileWriter extends RunWriter {
  /** What another thread opens the run by that was finished; it must not be closed here until it was read. Throws ETL_TEMP_WRITE. */
  handOver(): HandedFile;
}

/** Where runs are written to. */
export interface RunStore {
  create(area?: Area): Promise<RunWriter>;
}

/** What a run is written to, front to back, and read from. */
export type RunSection = Pick<FileSection, 'size' | 'append' | 'read' | 'damaged' | 'complete' | 'close'>;

/** What another thread reads a run by: plain data. */
export interface HandedFile extends HandedSection {
  readonly salt: number;
}

/** A slab of the caller's. */
export interface Area {
  readonly at: number;
  readonly bytes: number;
}

/** A run that is being written. Ends with `finish` or `discard`; a `finish` that failed is followed by `discard`. */
export interface RunWriter {
  /**
   * Appends whole rows in run format, `bytes` bytes of linear memory at `ptr`, which may be reused when the promise is
   * settled. One call at a time. Throws ETL_TEMP_WRITE or ETL_MAX_SPILL, maybe for rows of an earlier call.
   */
  write(ptr: number, bytes: number): Promise<void>;
  /** The run that was written; `rows` is how many rows that is. Throws as `write` does. */
  finish(rows: number): Promise<SortedRun>;
  /** Gives the file up. Idempotent. */
  discard(): Promise<void>;
}

export class RunFiles implements RunStore {
  readonly #options: Required<RunFilesOptions>;
  readonly #files: SharedFiles;

  constructor({ readBytes = DEFAULT_READ_BYTES, packBytes = DEFAULT_PACK_BYTES, ...options }: RunFilesOptions) {
    if (readBytes < READ_BYTES_LEAST) throw new EtlError('ETL_INTERNAL', `Run files cannot be read through ${readBytes} bytes.`);
    this.#options = { ...options, readBytes, packBytes };
    this.#files = new SharedFiles(options.spill, 'runs');
  }

  /**
   * Begins a run. Rows are packed in `area`, if there is one: it is the caller's again when the writer has ended.
   * Throws ETL_TEMP_WRITE, or ETL_MEMORY.
   */
  async create(area?: Area): Promise<RunFileWriter> {
    let file: FileSection | undefined;
    const writer = await packInto(this.#options, area, async () => (file = await this.#files.create()));
    return Object.assign(writer, { handOver: (): HandedFile => ({ ...file!.handOver(), salt: writer.salt }) });
  }

  /** A run of another thread's run files; `close` is called when it was read, or is not needed. */
  open(handed: HandedFile, rows: number, close: () => Promise<void>): SortedRun {
    return new RunFile(this.#options, borrowSection(handed, close), handed.salt, rows);
  }
}

/** What it takes to pack a run and to read it. */
export type RunMemory = Pick<RunFilesOptions, 'memory' | 'kernel'> & { readonly readBytes: number; readonly packBytes: number };

/** Begins a run in what `create` makes; in `area`, if there is one. Throws ETL_MEMORY, and what `create` throws. */
export async function packInto(options: RunMemory, area: Area | undefined, create: () => Promise<RunSection>): Promise<RunWriter & { readonly salt: number }> {
  const { memory, packBytes } = options;
  const bytes = area?.bytes ?? packBytes;
  if (bytes < PACK_BYTES_LEAST) throw new EtlError('ETL_INTERNAL', `A run cannot be packed in ${bytes} bytes.`);
  const at = area?.at ?? memory.slab(bytes, 'packing a run');
  const free = (): void => {
    if (!area) memory.giveSlab(at, bytes);
  };
  try {
    return new Packer(options, await create(), { at, bytes }, free);
  } catch (error) {
    free();
    throw error;
  }
}

/** Where packing or unpacking stands, in linear memory. The view stays good when the memory grows: it is shared. */
class Cursor {
  readonly ptr: number;
  readonly #fields: Uint32Array;

  constructor(memory: LinearMemory, ptr: number, salt: number) {
    this.ptr = ptr;
    this.#fields = memory.u32(ptr, CURSOR_BYTES / 4);
    this.#fields[CURSOR_NUMBER / 4] = 0;
    this.#fields[CURSOR_SALT / 4] = salt;
  }

  get at(): number {
    return this.#fields[CURSOR_AT / 4]!;
  }

  get end(): number {
    return this.#fields[CURSOR_END / 4]!;
  }

  set(at: number, end: number): void {
    this.#fields[CURSOR_AT / 4] = at;
    this.#fields[CURSOR_END / 4] = end;
  }
}

class Packer implements RunWriter {
  readonly salt = Math.floor(Math.random() * 2 ** 32);
  readonly #options: RunMemory;
  readonly #file: RunSection;
  readonly #cursor: Cursor;
  readonly #halves: readonly [number, number];
  readonly #halfBytes: number;
  readonly #free: () => void;
  #half: 0 | 1 = 0;
  /** Of the other half. */
  #writing: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(options: RunMemory, file: RunSection, { at, bytes }: Area, free: () => void) {
    this.#options = options;
    this.#file = file;
    this.#free = free;
    this.#cursor = new Cursor(options.memory, at, this.salt);
    this.#halfBytes = Math.floor((bytes - CURSOR_BYTES) / 2);
    this.#halves = [at + CURSOR_BYTES, at + CURSOR_BYTES + this.#halfBytes];
    this.#cursor.set(this.#halves[0], this.#halves[0] + this.#halfBytes);
  }

  async write(ptr: number, bytes: number): Promise<void> {
    const { memory, kernel } = this.#options;
    memory.assertHolds(ptr, bytes, 'Rows of a run');
    if (this.#ended) throw new EtlError('ETL_INTERNAL', 'Rows were added to a run that was complete.');
    for (let done = 0; ; ) {
      done += kernel.packRows(this.#cursor.ptr, ptr + done, bytes - done) >>> 0;
      if (done === bytes) return;
      if (this.#cursor.at === this.#halves[this.#half]) {
        throw new EtlError('ETL_INTERNAL', `The row at ${ptr + done} is no whole row of a run.`);
      }
      await this.#flush();
    }
  }

  async finish(rows: number): Promise<SortedRun> {
    await this.#flush();
    await this.#writing;
    this.#file.complete();
    this.#end();
    return new RunFile(this.#options, this.#file, this.salt, rows);
  }

  async discard(): Promise<void> {
    if (this.#ended) return;
    await this.#writing.catch(() => undefined); // the run is given up
    this.#end();
    await this.#file.close();
  }

  /** Writes what was packed, behind the caller's back, and goes on in the other half. */
  async #flush(): Promise<void> {
    await this.#writing;
    const start = this.#halves[this.#half];
    this.#writing = this.#file.append([this.#options.memory.bytes(start, this.#cursor.at - start)]);
    this.#writing.catch(() => undefined); // whoever waits next is told
    this.#half = this.#half === 0 ? 1 : 0;
    this.#cursor.set(this.#halves[this.#half], this.#halves[this.#half] + this.#halfBytes);
  }

  #end(): void {
    this.#ended = true;
    this.#free();
  }
}

/** A run that was written, to be read once. */
export class RunFile implements SortedRun {
  readonly rows: number;
  readonly #options: RunMemory;
  readonly #file: ReadableSection;
  readonly #salt: number;
  #area: Area | undefined;
  #cursor: Cursor | undefined;
  /** Bytes of the file that were read. */
  #position = 0;
  #filling: Promise<number> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: RunMemory, file: ReadableSection, salt: number, rows: number) {
    this.#options = options;
    this.#file = file;
    this.#salt = salt;
    this.rows = rows;
  }

  fill(ptr: number, capacity: number): number | Promise<number> {
    this.#options.memory.assertHolds(ptr, capacity, 'The buffer of a run');
    if (this.#closed || capacity < RUN_BLOCK_BYTES) {
      throw new EtlError('ETL_INTERNAL', this.#closed ? 'A run was read after it was closed.' : `A buffer of ${capacity} bytes cannot hold any row.`);
    }
    this.#cursor ??= this.#open();
    const bytes = this.#unpack(this.#cursor, ptr, capacity);
    if (bytes > 0) return bytes;
    this.#filling = this.#readAndUnpack(this.#cursor, ptr, capacity);
    return this.#filling;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#filling?.catch(() => undefined); // whoever waits for it is told
    if (this.#area) this.#options.memory.giveSlab(this.#area.at, this.#area.bytes);
    await this.#file.close();
  }

  #open(): Cursor {
    const { memory, readBytes } = this.#options;
    const bytes = Math.min(readBytes, CURSOR_BYTES + this.#file.size + BLOCK_SLACK);
    this.#area = { at: memory.slab(bytes, 'reading a run'), bytes };
    const cursor = new Cursor(memory, this.#area.at, this.#salt);
    cursor.set(cursor.ptr + CURSOR_BYTES, cursor.ptr + CURSOR_BYTES);
    return cursor;
  }

  /** Rows of the blocks that were read; 0 when there is no whole block. */
  #unpack(cursor: Cursor, ptr: number, capacity: number): number {
    const bytes = this.#options.kernel.unpackBlocks(cursor.ptr, ptr, capacity) >>> 0;
    if (bytes === DAMAGED) throw this.#file.damaged(this.#position - (cursor.end - cursor.at));
    return bytes;
  }

  async #readAndUnpack(cursor: Cursor, ptr: number, capacity: number): Promise<number> {
    const { memory } = this.#options;
    const start = cursor.ptr + CURSOR_BYTES;
    const room = this.#area!.bytes - CURSOR_BYTES - BLOCK_SLACK;
    const kept = cursor.end - cursor.at;
    const wanted = Math.min(room - kept, this.#file.size - this.#position);
    if (kept === 0 && wanted === 0) return 0;
    const buffer = memory.bytes(start, room);
    buffer.copyWithin(0, cursor.at - start, cursor.end - start);
    cursor.set(start, start + kept);
    await this.#file.read(buffer.subarray(kept, kept + wanted), this.#position);
    this.#position += wanted;
    cursor.set(start, start + kept + wanted);
    const bytes = this.#unpack(cursor, ptr, capacity);
    if (bytes === 0) throw this.#file.damaged(this.#position - kept - wanted); // the buffer holds any block whole
    return bytes;
  }
}
