/** What becomes of the rows of a batch, whichever parser made them: values are read, rules checked, rejects counted and told. */
import { addTo, type Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { STATUSES, type RejectSink } from '../core/rejects.ts';
import type { Rule } from '../core/rules.ts';
import type { Batch, Block } from '../core/stage.ts';
import { BATCH_STATUS, REJECT_NONE, REJECT_RECORD_TOO_LONG } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { describeReject } from './describe-reject.ts';
import type { HeaderMap, WantedColumns } from './header.ts';
import { unescapeRows } from './mended.ts';
import type { FieldMarks } from './record-fields.ts';
import { RowRules, type FieldsOfRows } from './row-rules.ts';

export interface BatchCheckOptions {
  readonly memory: LinearMemory;
  readonly kernel: Pick<ParseKernel, 'values'>;
  readonly counters: Counters;
  readonly rejects: RejectSink;
  readonly columns: WantedColumns;
  /** Of the run, see core/rules.ts; default: none, not even bounds of the value. `columns.ruled` has the columns that they name. */
  readonly rules?: readonly Rule[] | undefined;
  /** Decimal places that values keep, see `readSample`. */
  readonly scale: number;
}

/** Of a record's first byte. */
export interface RecordPlace {
  /** Physical line, from 1. */
  readonly line: number;
  /** Offset in the input. */
  readonly byte: number;
}

export interface RowsToCheck {
  readonly rows: number;
  readonly header: HeaderMap;
  /** How their records are divided, or, where that does not say it, the fields themselves. */
  readonly fields: FieldMarks | FieldsOfRows;
  /** Asked in ascending order, of rejected rows. */
  placeOf(row: number): RecordPlace;
}

export class BatchCheck {
  /** Where the last record that was too long begins. */
  longRecord: RecordPlace = { line: 0, byte: 0 };
  readonly #options: BatchCheckOptions;
  readonly #batch: number;
  readonly #recordLimit: number;
  readonly #rules: RowRules;
  readonly #assertOpen: () => void;

  /** Of the batch at `batch`. `assertOpen` throws once nobody may go on. */
  constructor(options: BatchCheckOptions, batch: number, recordLimit: number, assertOpen: () => void) {
    const { memory, rules = [], columns, scale } = options;
    this.#options = options;
    this.#batch = batch;
    this.#recordLimit = recordLimit;
    this.#rules = new RowRules(memory, rules, columns, scale);
    this.#assertOpen = assertOpen;
  }

  /** The batch, when its rejects are told: a promise when the sink wants its lines to be waited for. */
  check(block: Block, about: RowsToCheck): Batch | Promise<Batch> {
    const { kernel, counters, scale, memory } = this.#options;
    const { rows, header, fields } = about;
    const batch: Batch = { ptr: this.#batch, rows, input: block.input, block: block.index };
    if (header.mended) unescapeRows(memory, this.#batch, rows);
    const unread = kernel.values(this.#batch, rows, scale, this.#rules.least, this.#rules.most) >>> 0;
    const rejected = unread + this.#rules.check(this.#batch, rows, header, fields);
    counters.read += rows;
    addTo(counters.readBy, block.input.number, rows);
    counters.rejected += rejected;
    const told = rejected > 0 ? this.#tell(block, about, 0) : undefined;
    return told ? told.then(() => batch) : batch;
  }

  #tell(block: Block, about: RowsToCheck, from: number): Promise<void> | undefined {
    const { memory, columns: { ruled = [], ...columns }, rules = [], scale, counters, rejects } = this.#options;
    const { rows, header, fields } = about;
    const context = { memory, columns, rules, ruled, scale, header, marks: fields, recordLimit: this.#recordLimit };
    const statuses = memory.u32(this.#batch + BATCH_STATUS, rows);
    for (let row = from; row < rows; row++) {
      const status = statuses[row]!;
      if (status === REJECT_NONE) continue;
      addTo(counters.rejectedBy, status, 1);
      addTo(counters.rejectedIn, block.input.number * STATUSES + status, 1);
      const place = about.placeOf(row);
      if (status === REJECT_RECORD_TOO_LONG) this.longRecord = place;
      const { fieldOffset, ...reject } = describeReject(this.#batch, row, context);
      const fieldByte = fieldOffset === undefined || typeof fields === 'function' ? undefined : place.byte + fieldOffset;
      if (rejects.write({ file: block.input.name, ...place, fieldByte, ...reject })) {
        return rejects.drained().then(() => {
          this.#assertOpen();
          return this.#tell(block, about, row + 1);
        });
      }
    }
    return undefined;
  }

  /** Nobody can tell how many rows a record that is too long has swallowed, when its quotes are never closed: it is no reject, but the end of the job. */
  refuse({ input, offset, length }: Block): never {
    const { line, byte } = this.longRecord;
    throw new EtlError(
      'ETL_INPUT_READ',
      `The record of ${input.name} that begins in line ${line} (byte ${byte}) opens a quote that is never closed: ` +
        `all ${offset + length - byte} bytes from there to the end would be lost.`,
      { hint: 'Mend that quote and run again. Nothing was published.' },
    );
  }
}
