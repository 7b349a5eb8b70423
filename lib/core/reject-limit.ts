/**
 * Whether a run may go on, by what it has rejected. `see` is told every line of the rejects file, in input order; so where the first
 * few decide (`--on-error fail`, `--max-rejects N`) they are the same at any number of threads, and so is what is said of them. A
 * share is decided when all rows are read.
 */
import { EtlError } from './errors.ts';
import type { Counters } from './counters.ts';
import type { JobOptions, MaxRejects } from './options.ts';
import { reasonOfReject, reasonsOf, type RejectRecord } from './rejects.ts';

type LimitOptions = Pick<JobOptions, 'maxRejects' | 'onError' | 'rules'>;

/** Rejects that an error tells of. */
const SHOWN = 3;

export class RejectLimit {
  readonly #options: LimitOptions;
  /** Rows that may be rejected; Infinity when a share of all may. */
  readonly #most: number;
  /** By this run, before. */
  readonly #before: number;
  readonly #first: RejectRecord[] = [];
  readonly #reasons = new Map<string, number>();
  #seen = 0;

  /** `before`: rows that earlier parts of the run have rejected. They count where a number of rows is the limit. */
  constructor(options: LimitOptions, before = 0) {
    this.#options = options;
    this.#before = before;
    this.#most = options.onError === 'fail' ? 0 : 'rows' in options.maxRejects ? options.maxRejects.rows : Infinity;
  }

  /** Whole lines, the next ones. Throws ETL_REJECTED as soon as there are too many. */
  see(lines: string): void {
    // A share needs no more than the first.
    for (let at = 0; at < lines.length && (this.#most < Infinity || this.#first.length < SHOWN);) {
      const end = lines.indexOf('\n', at);
      this.#add(JSON.parse(lines.slice(at, end)) as RejectRecord);
      at = end + 1;
    }
  }

  /** When all rows are read. Throws ETL_REJECTED. */
  check({ read, rejected, rejectedBy }: Readonly<Counters>): void {
    const { maxRejects, rules } = this.#options;
    if (this.#most === Infinity && isOver(maxRejects, read, rejected)) {
      throw this.#exceeded(`${rejected} of ${read} rows were rejected`, reasonsOf(rejectedBy, rules));
    }
  }

  #add(reject: RejectRecord): void {
    if (this.#first.length < SHOWN) this.#first.push({ ...reject, raw: '', row: null });
    const reason = reasonOfReject(reject);
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    if (this.#before + ++this.#seen <= this.#most) return;
    if (this.#options.onError === 'fail') throw failedAt(reject);
    const earlier = this.#before > 0 ? ` (${this.#before} of them before the last checkpoint)` : '';
    throw this.#exceeded(`${this.#before + this.#seen} rows were rejected before all were read${earlier}`, Object.fromEntries(this.#reasons));
  }

  #exceeded(what: string, reasons: Readonly<Record<string, number>>): EtlError {
    const counts = Object.entries(reasons).sort(([, a], [, b]) => b - a).map(([reason, rows]) => `${rows} ${reason}`);
    const first = this.#first.map((reject, i) => ` (${i + 1}) ${placeOf(reject)}: ${reasonText(reject)}`);
    return new EtlError(
      'ETL_REJECTED',
      `${what}, more than --max-rejects allows (${limitText(this.#options.maxRejects)}): ${counts.join(', ')}. ${first.length === 1 ? 'The first is' : 'The first are'}${first.join('')}`,
      { hint: `${hintFor(Object.entries(reasons))}Nothing was published. \`etl-stream validate\` has all reasons by file; --max-rejects allows more.` },
    );
  }
}

/** Whether so many of the rows that were read are too many. A number of rows is the run's, a share that of what is read. */
export function isOver(limit: MaxRejects, read: number, rejected: number): boolean {
  if (rejected === 0) return false;
  if ('rows' in limit) return rejected > limit.rows;
  // 0.29 x 100 comes out below 29.
  return rejected > Math.floor(limit.share * read * (1 + 4 * Number.EPSILON));
}

/** As a user writes it. */
export function limitText(limit: MaxRejects): string {
  return 'rows' in limit ? String(limit.rows) : `${Number((100 * limit.share).toPrecision(12))}%`;
}

function failedAt(reject: RejectRecord): EtlError {
  const { field_byte: field, column } = reject;
  const where = field === null ? '' : `, its field ${column === null ? '' : `${JSON.stringify(column)} `}at byte ${field}`;
  return new EtlError('ETL_REJECTED', `The row at ${placeOf(reject)}${where} is rejected, and with --on-error fail the first one ends the run: ${reasonText(reject)}`, {
    hint: 'Nothing was published. Without --on-error fail, such rows go to the rejects.',
  });
}

function placeOf({ file, line, byte }: RejectRecord): string {
  return `${file}, line ${line} (byte ${byte})`;
}

function reasonText(reject: RejectRecord): string {
  return `${reasonOfReject(reject)}: ${reject.message}`;
}

/** What the most common reason tells of the options. */
function hintFor(reasons: [string, number][]): string {
  const all = reasons.reduce((sum, [, rows]) => sum + rows, 0);
  const [most = ''] = reasons.find(([, rows]) => 2 * rows > all) ?? [];
  if (most === 'field_count' || most === 'bad_quote' || most === 'unterminated_quote') return 'Is it another dialect? See --delimiter, --quote and --encoding, or let --sniff guess. ';
  if (most === 'value_precision') return 'Values have more decimal places than those at the start: see --value-scale. ';
  if (most.startsWith('rule ')) return 'If such values are right, say so by --rule; min=none and max=none take the bounds of the value away. ';
  return '';
}
