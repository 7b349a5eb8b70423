/**
 * Goes over the totals that a state keeps: all blocks of their file are what was written, rows are in order, and add up to
 * what was counted. What is published of them, by region, is added to RegionSums: by user, a row of a user is of the region
 * that has most of the watch time, the first of equal ones, as `merge` has it.
 *
 * Memory: AREA_BYTES of rows, and the area that they are read through.
 */
import { messageOf } from '../core/errors.ts';
import { RUN_COUNT, RUN_REGION, RUN_SUM_HI, RUN_SUM_LO, RUN_USER, RUN_USER_LEN } from '../kernels/layout.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { SpillKernel } from '../kernels/twins/spill.ts';
import { KeptRuns } from '../spill/kept-runs.ts';
import { DEFAULT_PACK_BYTES } from '../spill/run-files.ts';
import type { Committed } from './state-content.ts';
import type { RegionSums } from './region-sums.ts';

const AREA_BYTES = 1 << 18;
const READ_BYTES = 1 << 18;

export interface CheckTotalsOptions {
  /** The state's. */
  readonly folder: string;
  readonly last: Committed;
  readonly byUser: boolean;
  /** Is given what is published. */
  readonly sums: RegionSums;
  readonly tell: (problem: string) => void;
}

/** Whether the totals are all that they should be: then the sums are. */
export async function checkTotals({ folder, last, byUser, sums, tell }: CheckTotalsOptions): Promise<boolean> {
  const memory = new LinearMemory();
  const kernel = await loadKernel<SpillKernel>('spill', memory);
  const runs = new KeptRuns({ folder, memory, kernel, readBytes: READ_BYTES, packBytes: DEFAULT_PACK_BYTES });
  const totals = new Totals(last.regions, byUser, sums);
  try {
    const run = await runs.open(last.totals);
    try {
      const at = memory.slab(AREA_BYTES, 'rows of totals');
      for (let bytes; (bytes = await run.fill(at, AREA_BYTES)) > 0; ) totals.add(memory.bytes(at, bytes));
    } finally {
      await run.close();
    }
    totals.end();
  } catch (error) {
    tell(messageOf(error));
    return false;
  }
  const problems = [
    totals.disorder === undefined ? undefined : `their row ${totals.disorder} is not behind the one before it`,
    totals.nameless === undefined ? undefined : `their row ${totals.nameless} is of a region without a name`,
    totals.rows === last.totals.rows ? undefined : `they have ${totals.rows} rows, and should have ${last.totals.rows}`,
    totals.logs === BigInt(last.rows.counted) ? undefined : `they have ${totals.logs} logs, and ${last.rows.counted} were counted`,
  ].filter((problem) => problem !== undefined);
  for (const problem of problems) tell(`The totals in ${last.totals.file} are wrong: ${problem}.`);
  return problems.length === 0;
}

/** What is published as one row. */
interface Group {
  region: number;
  readonly user: Buffer;
  total: bigint;
  logs: bigint;
  /** By user: the most that a region has. */
  most: bigint;
}

class Totals {
  rows = 0;
  logs = 0n;
  /** The first row that is not behind the one before it. */
  disorder: number | undefined;
  /** The first row whose region is none. */
  nameless: number | undefined;
  readonly #regions: readonly string[];
  readonly #byUser: boolean;
  readonly #sums: RegionSums;
  #group: Group | undefined;
  /** Of the last row. */
  #region = -1;

  constructor(regions: readonly string[], byUser: boolean, sums: RegionSums) {
    this.#regions = regions;
    this.#byUser = byUser;
    this.#sums = sums;
  }

  /** Whole rows. The bytes are not kept. */
  add(bytes: Uint8Array): void {
    const rows = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < rows.length; ) {
      const end = at + RUN_USER + view.getUint32(at + RUN_USER_LEN, true);
      this.#add(view.getUint32(at + RUN_REGION, true), rows.subarray(at + RUN_USER, end), sumAt(view, at), view.getBigUint64(at + RUN_COUNT, true));
      at = end;
    }
    if (this.#group) this.#group = { ...this.#group, user: Buffer.from(this.#group.user) };
  }

  end(): void {
    const group = this.#group;
    this.#group = undefined;
    if (group) this.#sums.add(this.#regions[group.region] ?? '', group.user, group.total, group.logs);
  }

  #add(region: number, user: Buffer, total: bigint, logs: bigint): void {
    this.rows++;
    this.logs += logs;
    if (region >= this.#regions.length) this.nameless ??= this.rows;
    const before = this.#group;
    const order = before ? user.compare(before.user) : 1;
    const [first, second] = this.#byUser ? [order, region - this.#region] : [region - this.#region, order];
    if (before && (first < 0 || (first === 0 && second <= 0))) this.disorder ??= this.rows;
    this.#region = region;
    if (!before || !this.#byUser || order !== 0) {
      this.end();
      this.#group = { region, user, total, logs, most: total };
      return;
    }
    before.total += total;
    before.logs += logs;
    if (total > before.most) [before.most, before.region] = [total, region];
  }
}

function sumAt(view: DataView, row: number): bigint {
  const [low, high] = [view.getBigInt64(row + RUN_SUM_LO, true), view.getBigInt64(row + RUN_SUM_HI, true)];
  return high === low >> 63n ? low : (high << 64n) | BigInt.asUintN(64, low);
}
