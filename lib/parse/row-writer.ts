/** Rows of a batch that are written by the host: their fields are copied into the scratch behind the batch. */
import { RAW_TEXT_BYTES } from '../core/rejects.ts';
import {
  BATCH_BYTES, BATCH_RECORD_END, BATCH_RECORD_START, BATCH_ROWS, BATCH_STATUS, BATCH_VALUE, MAX_ID_BYTES, MAX_USER_BYTES, REJECT_ID_TOO_LONG,
  REJECT_MISSING_ID, REJECT_MISSING_USER, REJECT_MISSING_VALUE, REJECT_NONE, REJECT_USER_TOO_LONG,
} from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { BATCH_FIELDS } from './batch-fields.ts';

/** Holds some rows, whatever they are. */
export const SCRATCH_BYTES = 1 << 20;
/** Of a record as it stands, and of each of its fields: no field that is good for anything is longer. */
const MOST_BYTES = RAW_TEXT_BYTES + 1;
const COLUMNS = Object.values(BATCH_FIELDS);
const NO_FIELDS: readonly Uint8Array[] = COLUMNS.map(() => new Uint8Array(0));

export class RowWriter {
  length = 0;
  /** Where the scratch begins. */
  readonly #scratch: number;
  /** Columns by their offset in the batch. */
  readonly #columns: ReadonlyMap<number, Uint32Array>;
  readonly #values: DataView;
  readonly #bytes: Uint8Array;
  #used = 0;

  /** For the batch at `batch`, with SCRATCH_BYTES behind it. */
  constructor(memory: LinearMemory, batch: number) {
    this.#scratch = batch + BATCH_BYTES;
    const columns = [BATCH_RECORD_START, BATCH_RECORD_END, BATCH_STATUS, ...COLUMNS.flat()];
    this.#columns = new Map(columns.map((column) => [column, memory.u32(batch + column, BATCH_ROWS)]));
    this.#values = memory.view(batch + BATCH_VALUE, 8 * BATCH_ROWS);
    this.#bytes = memory.bytes(this.#scratch, SCRATCH_BYTES);
  }

  clear(): void {
    this.length = 0;
    this.#used = 0;
  }

  /** A record whose wanted fields are these: id, user, ip, value. False, and nothing is written, when there is no room. */
  add(raw: Uint8Array, fields: readonly Uint8Array[]): boolean {
    const [id, user, , value] = fields as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const status = id.length === 0 ? REJECT_MISSING_ID
      : id.length > MAX_ID_BYTES ? REJECT_ID_TOO_LONG
      : user.length === 0 ? REJECT_MISSING_USER
      : user.length > MAX_USER_BYTES ? REJECT_USER_TOO_LONG
      : value.length === 0 ? REJECT_MISSING_VALUE : REJECT_NONE;
    return this.#write(raw, fields, status, 0);
  }

  /** A record that is malformed; `found`: how many fields it has, when that is the fault. */
  reject(raw: Uint8Array, status: number, found = 0): boolean {
    return this.#write(raw, NO_FIELDS, status, found);
  }

  #write(raw: Uint8Array, fields: readonly Uint8Array[], status: number, value: number): boolean {
    const needed = fields.reduce((sum, { length }) => sum + Math.min(length, MOST_BYTES), Math.min(raw.length, MOST_BYTES));
    if (this.length === BATCH_ROWS || this.#used + needed > SCRATCH_BYTES) return false;
    const start = this.#copy(raw);
    this.#set(BATCH_RECORD_START, start);
    this.#set(BATCH_RECORD_END, start + Math.min(raw.length, MOST_BYTES));
    for (const [place, [ptr, len]] of COLUMNS.entries()) {
      const field = fields[place]!;
      this.#set(ptr, this.#copy(field));
      this.#set(len, status === REJECT_NONE ? Math.min(field.length, MOST_BYTES) : field.length);
    }
    this.#set(BATCH_STATUS, status);
    this.#values.setBigInt64(8 * this.length, BigInt(value), true);
    this.length++;
    return true;
  }

  /** Where its first MOST_BYTES bytes stand. */
  #copy(bytes: Uint8Array): number {
    const at = this.#used;
    const length = Math.min(bytes.length, MOST_BYTES);
    this.#bytes.set(length === bytes.length ? bytes : bytes.subarray(0, length), at);
    this.#used += length;
    return this.#scratch + at;
  }

  #set(column: number, value: number): void {
    this.#columns.get(column)![this.length] = value;
  }
}
