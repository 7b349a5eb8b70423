/**
 * The run's rules on the rows of a batch. The bounds of the value go to the kernel; all other rules are checked here, and only when
 * there are any: fields of the four columns where the batch points to, others by dividing their record once more.
 */
import type { ColumnNames } from '../core/options.ts';
import { ruledColumns, VALUE_MAX, VALUE_MIN, type Rule } from '../core/rules.ts';
import { BATCH_RECORD_END, BATCH_RECORD_START, BATCH_STATUS, BATCH_VALUE, REJECT_NONE, REJECT_RULE } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { BATCH_FIELDS, fieldRoles, type FieldRole } from './batch-fields.ts';
import { fieldCheck, type CheckedField, type FieldCheck } from './field-checks.ts';
import type { HeaderMap } from './header.ts';
import { contentOf, recordFields, type FieldMarks } from './record-fields.ts';

const MOST = 2n ** 63n - 1n;
const LEAST = -(2n ** 63n);

/** The field in a place of a row's record. */
export type FieldsOfRows = (row: number, place: number) => Buffer;

interface HostRule {
  readonly status: number;
  /** One of the four, or the place of another in HeaderMap.ruled. */
  readonly field: FieldRole | number;
  readonly isOptional: boolean;
  readonly holds: FieldCheck;
}

export class RowRules {
  /** Values x 10^scale that the kernel lets through. */
  readonly least: bigint;
  readonly most: bigint;
  readonly #memory: LinearMemory;
  readonly #rules: readonly HostRule[];

  /** `rules` as `validateRules` gives them; none: nothing is checked. */
  constructor(memory: LinearMemory, rules: readonly Rule[], columns: ColumnNames, scale: number) {
    this.#memory = memory;
    this.least = rules[VALUE_MIN] ? scaledBound(rules[VALUE_MIN], scale) : LEAST;
    this.most = rules[VALUE_MAX] ? scaledBound(rules[VALUE_MAX], scale) : MOST;
    const others = ruledColumns(rules, columns);
    const optional = new Set(rules.flatMap(({ column, check }) => (check.kind === 'optional' ? [column] : [])));
    this.#rules = rules.flatMap((rule, number) => (number <= VALUE_MAX || rule.check.kind === 'optional' ? [] : [{
      status: REJECT_RULE + number, isOptional: optional.has(rule.column), holds: fieldCheck(rule),
      field: fieldRoles.find((role) => columns[role] === rule.column) ?? others.indexOf(rule.column),
    }]));
  }

  /**
   * Checks the rows that are good so far and gives a status to those that are not. How many those are. `marks`: how their records are
   * divided, or the fields themselves.
   */
  check(batch: number, rows: number, header: HeaderMap, marks: FieldMarks | FieldsOfRows): number {
    if (this.#rules.length === 0) return 0;
    const statuses = this.#memory.u32(batch + BATCH_STATUS, rows);
    let rejected = 0;
    for (let row = 0; row < rows; row++) {
      if (statuses[row] !== REJECT_NONE) continue;
      const status = this.#statusOf(batch, row, header, marks);
      if (status === REJECT_NONE) continue;
      statuses[row] = status;
      this.#memory.view(batch + BATCH_VALUE + 8 * row, 8).setBigInt64(0, 0n, true);
      rejected++;
    }
    return rejected;
  }

  #statusOf(batch: number, row: number, header: HeaderMap, marks: FieldMarks | FieldsOfRows): number {
    let others: (CheckedField | undefined)[] | undefined;
    for (const { status, field, isOptional, holds } of this.#rules) {
      const found = typeof field === 'string' ? this.#fieldOf(batch, row, field) : (others ??= this.#others(batch, row, header, marks))[field];
      // A mended file (mended.ts) may lack other columns.
      if (found && !(isOptional && found.bytes === 0) && !holds(found)) return status;
    }
    return REJECT_NONE;
  }

  #fieldOf(batch: number, row: number, role: FieldRole): CheckedField {
    const [ptr, length] = BATCH_FIELDS[role];
    const bytes = this.#word(batch + length, row);
    return { bytes, text: () => Buffer.from(this.#memory.bytes(this.#word(batch + ptr, row), bytes)).toString() };
  }

  /** Fields of the other columns that have rules, in the order of `header.ruled`. */
  #others(batch: number, row: number, { ruled = [] }: HeaderMap, marks: FieldMarks | FieldsOfRows): (CheckedField | undefined)[] {
    const start = this.#word(batch + BATCH_RECORD_START, row);
    const record = this.#memory.bytes(start, this.#word(batch + BATCH_RECORD_END, row) - start);
    const contents = typeof marks === 'function' ? ruled.map((place) => (place < 0 ? undefined : marks(row, place))) : contentsAt(record, ruled, marks);
    return contents.map((content) => content && { bytes: content.length, text: () => content.toString() });
  }

  #word(column: number, row: number): number {
    return this.#memory.u32(column + 4 * row, 1)[0]!;
  }
}

/** Contents of the fields in these places of a record, empty where it has fewer; undefined where the place is -1. */
function contentsAt(record: Uint8Array, places: readonly number[], marks: FieldMarks): (Buffer | undefined)[] {
  const contents: (Buffer | undefined)[] = places.map((place) => (place < 0 ? undefined : Buffer.alloc(0)));
  const last = Math.max(...places);
  let place = 0;
  for (const field of recordFields(record, marks)) {
    for (const [at, wanted] of places.entries()) if (wanted === place) contents[at] = contentOf(record, field, marks);
    if (place++ === last) break;
  }
  return contents;
}

/** The least or the most x 10^scale that a bound lets through: exact, and within 64 bits as every value is. */
export function scaledBound({ check }: Rule, scale: number): bigint {
  const isMin = check.kind === 'min';
  if (!('bound' in check) || check.bound === undefined) return isMin ? LEAST : MOST;
  const [, sign, whole = '', decimals = ''] = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(check.bound)!;
  const magnitude = BigInt(`${whole}${decimals.slice(0, scale).padEnd(scale, '0')}` || '0');
  const isCut = /[1-9]/.test(decimals.slice(scale));
  let scaled = sign === '-' ? -magnitude : magnitude;
  if (isCut && isMin && sign !== '-') scaled += 1n;
  if (isCut && !isMin && sign === '-') scaled -= 1n;
  return scaled < LEAST ? LEAST : scaled > MOST ? MOST : scaled;
}
