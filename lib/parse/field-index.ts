/**
 * The memory of a scanner's index: one entry for each field that is scanned and not taken. It has room for a whole block; a record
 * with more fields than that keeps as many as it should have, and is malformed. Only a header, of which nobody knows how many fields
 * it should have, makes the index grow, to the most there can be: one for every byte of it.
 */
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { ENTRY_BAD, INDEX_SLACK, STATE_CAPACITY, STATE_COUNT, STATE_DROPPED, STATE_FIELDS, STATE_INDEX, STATE_NEXT, STATE_RECORD_LIMIT } from '../kernels/parse-layout.ts';

/** For a whole block of 1 MiB, if its fields have 7 bytes each. */
const ENTRIES = 131072;

/** The kernel's state. */
interface State {
  get(name: number): number;
  set(name: number, value: number): void;
}

export class FieldIndex {
  entries: Uint32Array;
  readonly #memory: LinearMemory;
  readonly #state: State;

  /** Throws ETL_MEMORY. */
  constructor(memory: LinearMemory, state: State) {
    this.#memory = memory;
    this.#state = state;
    this.entries = this.#take(ENTRIES);
  }

  /** Whether the scan has stopped, or would, for want of room. */
  get isFull(): boolean {
    return this.#state.get(STATE_COUNT) + INDEX_SLACK > this.entries.length;
  }

  /** For more fields of the unfinished record, which fills the index. False: there is no way. */
  makeRoom(): boolean {
    const state = this.#state;
    const [fields, next] = [state.get(STATE_FIELDS), state.get(STATE_NEXT)];
    const waiting = this.entries.subarray(next, state.get(STATE_COUNT));
    if (fields === 0 || waiting.length <= fields + 1) return this.#grow();
    // One more, so that it shows that there are too many, or that one of them is malformed.
    const more = waiting.subarray(fields).find((entry) => (entry & ENTRY_BAD) !== 0) ?? waiting[fields]!;
    state.set(STATE_DROPPED, state.get(STATE_DROPPED) + waiting.length - fields - 1);
    this.entries.copyWithin(0, next, next + fields);
    this.entries[fields] = more;
    state.set(STATE_NEXT, 0);
    state.set(STATE_COUNT, fields + 1);
    return true;
  }

  close(): void {
    this.#memory.giveSlab(this.entries.byteOffset, this.entries.byteLength);
  }

  #grow(): boolean {
    const old = this.entries;
    const capacity = Math.max(this.#state.get(STATE_RECORD_LIMIT) + 2 * INDEX_SLACK, ENTRIES);
    if (capacity <= old.length) return false;
    this.entries = this.#take(capacity);
    this.entries.set(old);
    this.#memory.giveSlab(old.byteOffset, old.byteLength);
    return true;
  }

  #take(capacity: number): Uint32Array {
    const at = this.#memory.slab(capacity * 4, 'field index');
    this.#state.set(STATE_INDEX, at);
    this.#state.set(STATE_CAPACITY, capacity);
    return this.#memory.u32(at, capacity);
  }
}
