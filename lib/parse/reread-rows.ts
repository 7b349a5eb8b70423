/**
 * Rows of a record with malformed quotes, for who repairs: what it was most likely meant to be (least-reading.ts), which may be
 * several records; or one reject. The host writes them, batch by batch.
 */
import { isUtf8 } from 'node:buffer';
import type { Dialect } from '../core/dialect.ts';
import { REJECT_INVALID_UTF8 } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { RecordPlace } from './checked-batch.ts';
import type { HeaderMap } from './header.ts';
import { latin1Dialect, leastReading, type ReadRecord } from './least-reading.ts';
import { countLineEnds } from './lines.ts';
import { RowWriter } from './row-writer.ts';

export class RereadRows {
  readonly #writer: RowWriter;
  #record: Buffer = Buffer.alloc(0);
  #place: RecordPlace = { line: 0, byte: 0 };
  #readings: readonly ReadRecord[] = [];
  /** The first that is not in a batch yet, and the first of this batch. */
  #next = 0;
  #first = 0;

  /** For the batch at `batch`, with the scratch of a RowWriter behind it. */
  constructor(memory: LinearMemory, batch: number) {
    this.#writer = new RowWriter(memory, batch);
  }

  /** Whether rows wait for a batch. */
  get isWaiting(): boolean {
    return this.#next < this.#readings.length;
  }

  /** Reads the record that begins at `place` anew. `status`: what it is rejected for, if there is no reading. Gives the rows of the batch. */
  read(record: Buffer, place: RecordPlace, dialect: Dialect, header: HeaderMap, status: number): number {
    this.#record = record;
    this.#place = place;
    this.#next = 0;
    this.#readings = leastReading(record.toString('latin1'), latin1Dialect(dialect), header.fields) ?? [];
    if (this.#readings.length > 0) return this.fill(header);
    this.#first = 0;
    this.#writer.clear();
    this.#writer.reject(record, status);
    return this.#writer.length;
  }

  /** Rows of the next batch. */
  fill({ id, user, ip, value }: HeaderMap): number {
    this.#writer.clear();
    this.#first = this.#next;
    for (; this.isWaiting; this.#next++) {
      const { from, to, fields } = this.#readings[this.#next]!;
      const raw = this.#record.subarray(from, to);
      const isWritten = isUtf8(raw) ? this.#writer.add(raw, [id, user, ip, value].map((place) => Buffer.from(fields[place]!, 'latin1')))
        : this.#writer.reject(raw, REJECT_INVALID_UTF8);
      if (!isWritten) break;
    }
    return this.#writer.length;
  }

  /** The field in a place of a row of the batch. */
  readonly fieldOf = (row: number, place: number): Buffer => Buffer.from(this.#readings[this.#first + row]?.fields[place] ?? '', 'latin1');

  /** Of a row of the batch. */
  readonly placeOf = (row: number): RecordPlace => {
    const from = this.#readings[this.#first + row]?.from ?? 0;
    return { line: this.#place.line + countLineEnds(this.#record, 0, from), byte: this.#place.byte + from };
  };
}
