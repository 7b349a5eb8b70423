/** Batches for tests: columns written by hand into linear memory, fields in an area of their own. */
import type { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import {
  BATCH_BYTES, BATCH_ID_HI, BATCH_ID_LEN, BATCH_ID_LO, BATCH_ID_PTR, BATCH_REGION, BATCH_STATUS, BATCH_USER_LEN,
  BATCH_USER_PTR, BATCH_VALUE,
} from '../../lib/kernels/layout.ts';

export interface BatchRow {
  readonly status?: number;
  readonly id?: Uint8Array;
  /** Written as hashes when there is no id to be hashed. */
  readonly lo?: bigint;
  readonly hi?: bigint;
  readonly user?: Uint8Array;
  readonly region?: number;
  readonly value?: bigint;
}

const NONE = new Uint8Array(0);

export class BatchWriter {
  readonly ptr: number;
  readonly #memory: LinearMemory;
  readonly #fields: number;

  constructor(memory: LinearMemory, fieldBytes: number) {
    this.#memory = memory;
    this.ptr = memory.slab(BATCH_BYTES, 'test batch');
    this.#fields = memory.slab(fieldBytes, 'test fields');
  }

  write(rows: readonly BatchRow[]): void {
    const batch = this.#memory.view(this.ptr, BATCH_BYTES);
    let at = this.#fields;
    const put = (bytes: Uint8Array): number => {
      this.#memory.bytes(at, bytes.length).set(bytes);
      at += bytes.length;
      return at - bytes.length;
    };
    rows.forEach(({ status = 0, id = NONE, lo = 0n, hi = 0n, user = NONE, region = 0, value = 0n }, i) => {
      batch.setUint32(BATCH_STATUS + 4 * i, status, true);
      batch.setUint32(BATCH_ID_PTR + 4 * i, put(id), true);
      batch.setUint32(BATCH_ID_LEN + 4 * i, id.length, true);
      batch.setBigUint64(BATCH_ID_LO + 8 * i, lo, true);
      batch.setBigUint64(BATCH_ID_HI + 8 * i, hi, true);
      batch.setUint32(BATCH_USER_PTR + 4 * i, put(user), true);
      batch.setUint32(BATCH_USER_LEN + 4 * i, user.length, true);
      batch.setUint32(BATCH_REGION + 4 * i, region, true);
      batch.setBigInt64(BATCH_VALUE + 8 * i, value, true);
    });
  }
}
