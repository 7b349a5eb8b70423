/**
 * The 64-bit hashes of users, by partition (their top 6 bits): in pages as long as there are pages, then in a file.
 *
 *   memory  [chain of pages of each partition]        file  [generation 0           ][generation 1           ] ...
 *                                                           [partition 0][1] ... [63]
 *
 * A generation is all pages of a moment, full or not, as blocks with a checksum each (kernels/users-layout.ts): since hashes
 * spread evenly, pages are mostly full when there is none left. Written in one go; read in pieces of up to 256 KiB.
 * Memory: `pageBytes` of pages, a state of 1 KiB, the buffer for reading from when it is first needed; on the heap some
 * 500 bytes a generation. Nothing survives a crash. Calls do not overlap.
 */
import type { ResultBatch } from '../core/stage.ts';
import { PAGE_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { UsersKernel } from '../kernels/twins/users.ts';
import {
  BLOCK_BYTES, BLOCK_HASHES, HASHES_PER_PAGE, PAGE_CHECKSUM, PAGE_HASHES, USERS_BYTES, USERS_CURSORS, USERS_CURSOR_BYTES,
  USERS_HASHES, USERS_MOST, USERS_PAGE, USERS_PAGES, USERS_PARTITIONS, USERS_SEED,
} from '../kernels/users-layout.ts';
import type { SpillFile, SpillSpace } from '../spill/spill-space.ts';

/** Blocks that are read at once: from several places, if they are not neighbours. */
const READ_BLOCKS = 16;
const BUFFER_BYTES = READ_BLOCKS * BLOCK_BYTES;

export interface UserHashesOptions {
  readonly memory: LinearMemory;
  readonly kernel: UsersKernel;
  /** Random per run, so that chosen user ids cannot crowd one part of a table. */
  readonly seed: bigint;
  readonly spill: SpillSpace;
  /** Most bytes of pages. Below a page for each of the 64 partitions, blocks in the file are small. */
  readonly pageBytes: number;
}

/** In the file, partition p is from `position + starts[p]` to `position + starts[p + 1]`. */
interface Generation {
  readonly position: number;
  readonly starts: Uint32Array;
}

/** Whole blocks of one partition and generation, read to `at`. */
interface Piece {
  readonly at: number;
  readonly position: number;
  readonly bytes: number;
}

export class UserHashes {
  readonly #memory: LinearMemory;
  readonly #kernel: UsersKernel;
  readonly #spill: SpillSpace;
  readonly #at: number;
  readonly #state: DataView;
  readonly #generations: Generation[] = [];
  #file: SpillFile | undefined;
  #buffer = 0;

  constructor({ memory, kernel, seed, spill, pageBytes }: UserHashesOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#spill = spill;
    this.#at = memory.slab(USERS_BYTES, 'hashes of users');
    memory.bytes(this.#at, USERS_BYTES).fill(0);
    this.#state = memory.view(this.#at, USERS_BYTES);
    this.#state.setBigUint64(USERS_SEED, seed, true);
    this.#state.setUint32(USERS_MOST, Math.max(1, Math.floor(pageBytes / PAGE_BYTES)), true);
  }

  /** Adds the users of a batch from `row` on. Gives the first that needs a page when there is none: make room, go on. */
  add({ userOffsets, userBytes, rows }: ResultBatch, row: number): number {
    for (;;) {
      row = this.#kernel.addUsers(this.#at, userOffsets.byteOffset, userBytes.byteOffset, row, rows) >>> 0;
      if (row === rows || this.#pages === this.#state.getUint32(USERS_MOST, true) || !this.#memory.refillPool()) return row;
    }
  }

  /** Writes all pages to the file. Throws ETL_MEMORY when it has none, and others have all there are. */
  async makeRoom(): Promise<void> {
    if (this.#pages === 0) return this.#memory.assertPageLeft();
    this.#file ??= await this.#spill.create('users');
    const position = this.#file.size;
    const starts = new Uint32Array(USERS_PARTITIONS + 1);
    const blocks: Uint8Array[] = [];
    for (let partition = 0, at = 0; partition < USERS_PARTITIONS; partition++) {
      for (const { page, hashes } of this.#chain(partition).reverse()) {
        this.#kernel.sealPage(page, hashes, ...halves(position + at));
        const block = this.#memory.bytes(page + PAGE_CHECKSUM, BLOCK_HASHES + 8 * hashes);
        blocks.push(block);
        at += block.length;
      }
      starts[partition + 1] = at;
    }
    await this.#file.append(blocks);
    this.#generations.push({ position, starts });
    for (let partition = 0; partition < USERS_PARTITIONS; partition++) this.free(partition);
  }

  /** Hashes of a partition, equal ones included. */
  size(partition: number): number {
    let hashes = this.#state.getUint32(USERS_CURSORS + partition * USERS_CURSOR_BYTES + USERS_HASHES, true);
    for (const { starts } of this.#generations) {
      const bytes = starts[partition + 1]! - starts[partition]!;
      hashes += bytes / 8 - Math.ceil(bytes / BLOCK_BYTES);
    }
    return hashes;
  }

  /**
   * Calls `visit` with `count` hashes at `hashes`, until all of a partition were visited (true) or `visit` gives false
   * (false). Throws ETL_TEMP_WRITE, ETL_TEMP_DAMAGED, and what `visit` throws.
   */
  async visit(partition: number, visit: (hashes: number, count: number) => boolean): Promise<boolean> {
    for (const { page, hashes } of this.#chain(partition)) if (!visit(page + PAGE_HASHES, hashes)) return false;
    if (!this.#file) return true;
    this.#buffer ||= this.#memory.slab(BUFFER_BYTES, 'hashes of users');
    let pieces: Piece[] = [];
    let blocks = 0;
    for (const { position, starts } of this.#generations) {
      const end = position + starts[partition + 1]!;
      for (let from = position + starts[partition]!; from < end; ) {
        const bytes = Math.min(end - from, (READ_BLOCKS - blocks) * BLOCK_BYTES);
        pieces.push({ at: this.#buffer + blocks * BLOCK_BYTES, position: from, bytes });
        from += bytes;
        blocks += Math.ceil(bytes / BLOCK_BYTES);
        if (blocks < READ_BLOCKS) continue;
        if (!(await this.#visitPieces(this.#file, pieces, visit))) return false;
        pieces = [];
        blocks = 0;
      }
    }
    return this.#visitPieces(this.#file, pieces, visit);
  }

  /** Forgets what a partition has in memory, and gives its pages back. */
  free(partition: number): void {
    this.#kernel.freeUsers(this.#at, partition);
  }

  /** Gives back everything; once. */
  async close(): Promise<void> {
    for (let partition = 0; partition < USERS_PARTITIONS; partition++) this.free(partition);
    this.#memory.giveSlab(this.#at, USERS_BYTES);
    if (this.#buffer !== 0) this.#memory.giveSlab(this.#buffer, BUFFER_BYTES);
    await this.#file?.close();
  }

  async #visitPieces(file: SpillFile, pieces: readonly Piece[], visit: (hashes: number, count: number) => boolean): Promise<boolean> {
    await file.readAll(pieces.map(({ at, position, bytes }) => ({ target: this.#memory.bytes(at, bytes), position })));
    for (const { at, position, bytes } of pieces) {
      for (let from = 0; from < bytes; from += BLOCK_BYTES) {
        const hashes = (Math.min(BLOCK_BYTES, bytes - from) - BLOCK_HASHES) / 8;
        if (this.#kernel.isIntact(at + from, hashes, ...halves(position + from)) === 0) throw file.damaged(position + from);
        if (!visit(at + from + BLOCK_HASHES, hashes)) return false;
      }
    }
    return true;
  }

  /** The pages of a partition, the last one first, and how many hashes each has. */
  #chain(partition: number): { page: number; hashes: number }[] {
    const cursor = USERS_CURSORS + partition * USERS_CURSOR_BYTES;
    const chain: { page: number; hashes: number }[] = [];
    let hashes = this.#state.getUint32(cursor + USERS_HASHES, true) % HASHES_PER_PAGE || HASHES_PER_PAGE;
    for (let page = this.#state.getUint32(cursor + USERS_PAGE, true); page !== 0; hashes = HASHES_PER_PAGE) {
      chain.push({ page, hashes });
      page = this.#memory.view(page, 4).getUint32(0, true);
    }
    return chain;
  }

  get #pages(): number {
    return this.#state.getUint32(USERS_PAGES, true);
  }
}

/** A position as the two halves of a seed. */
function halves(position: number): [lo: number, hi: number] {
  return [position >>> 0, Math.floor(position / 2 ** 32)];
}
