/**
 * All ranges as one sorted run: they are in order, and no group is in two of them. Either each is made when the one before
 * was read, by the thread that reads; or several threads make them, and the reader waits for the next.
 */
import { EtlError } from '../core/errors.ts';
import type { SortedRun } from '../core/stage.ts';
import { PAGE_HEADER, PAGE_NEXT, PAGE_USED, RUN_USER, RUN_USER_LEN } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { RangeBoard } from './range-board.ts';
import type { RangeGroups } from './range-groups.ts';
import type { Scattered } from './scattered.ts';

export interface MadeHere {
  readonly groups: RangeGroups;
  readonly scattered: readonly Scattered[];
  readonly ranges: number;
  /** Groups, at most. */
  readonly rows: number;
}

/** Ranges that this thread makes as they are read. `close` gives their pages back; `groups` stays the caller's. */
export function rangesMadeHere({ groups, scattered, ranges, rows }: MadeHere): SortedRun {
  let next = 0;
  return {
    rows,
    fill(ptr, capacity) {
      for (;;) {
        const bytes = groups.fill(ptr, capacity);
        if (bytes > 0 || next === ranges) return bytes;
        groups.load(scattered, next++);
      }
    },
    async close() {
      next = ranges;
      groups.clear();
    },
  };
}

export interface MadeElsewhere {
  readonly memory: LinearMemory;
  readonly board: RangeBoard;
  /** Settled when all threads have ended their work; rejects with what went wrong first. */
  readonly made: Promise<void>;
  readonly rows: number;
  /** Called once, when nobody reads or makes ranges any more. */
  readonly closed: () => void | Promise<void>;
}

/** Ranges that other threads make, by their board. */
export function rangesMadeElsewhere(options: MadeElsewhere): SortedRun {
  return new RangesRun(options);
}

class RangesRun implements SortedRun {
  readonly rows: number;
  readonly #options: MadeElsewhere;
  #range = 0;
  /** The page that is being read, 0 = the next range's first, and where in it. */
  #page = 0;
  #at = 0;
  #closing: Promise<void> | undefined;

  constructor(options: MadeElsewhere) {
    this.#options = options;
    this.rows = options.rows;
  }

  fill(ptr: number, capacity: number): number | Promise<number> {
    if (this.#closing) throw new EtlError('ETL_INTERNAL', 'A run was read after it was closed.');
    const { board } = this.#options;
    let done = 0;
    while (this.#range < board.ranges) {
      if (this.#page === 0) {
        if (!board.isMade(this.#range)) return done > 0 ? done : this.#fillLater(ptr, capacity);
        this.#open(board.chainOf(this.#range));
      } else {
        const bytes = this.#copy(ptr + done, capacity - done);
        if (bytes === 0) return done;
        done += bytes;
      }
    }
    return done > 0 ? done : this.#end();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const { board, made, closed } = this.#options;
    board.stop();
    await made.catch(() => undefined); // whoever waits for rows was told
    await closed();
  }

  async #fillLater(ptr: number, capacity: number): Promise<number> {
    const { board, made } = this.#options;
    try {
      await board.untilMade(this.#range);
    } catch (error) {
      await made; // rejects with what stopped it
      throw error;
    }
    return this.fill(ptr, capacity);
  }

  /** All was read: threads may still be about to say what they counted. */
  async #end(): Promise<number> {
    await this.#options.made;
    return 0;
  }

  /** Goes on with a page, or with the next range if there is none. */
  #open(page: number): void {
    this.#page = page;
    this.#at = page + PAGE_HEADER;
    if (page === 0) this.#options.board.setRead(++this.#range);
  }

  /** The page's next whole rows, as many as fit; 0 when not one does. */
  #copy(ptr: number, capacity: number): number {
    const { memory } = this.#options;
    const header = memory.view(this.#page, PAGE_HEADER);
    const left = this.#page + header.getUint32(PAGE_USED, true) - this.#at;
    const bytes = left <= capacity ? left : this.#wholeRows(left, capacity);
    memory.bytes(ptr, bytes).set(memory.bytes(this.#at, bytes));
    this.#at += bytes;
    if (bytes === left) this.#open(header.getUint32(PAGE_NEXT, true));
    return bytes;
  }

  /** Bytes of the whole rows that fit; what is left does not. */
  #wholeRows(left: number, capacity: number): number {
    const rows = this.#options.memory.view(this.#at, left);
    let bytes = 0;
    for (;;) {
      const next = bytes + RUN_USER + rows.getUint32(bytes + RUN_USER_LEN, true);
      if (next > capacity) return bytes;
      bytes = next;
    }
  }
}
