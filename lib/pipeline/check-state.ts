/**
 * Verifies all that is kept for a dataset, and the dataset: each is compared with what it was made from.
 *
 *   LevelDB    every record and checksum (state/check.ts)
 *   ids        every page's checksum; pages hold ids, none twice, as many as were counted and not forgotten
 *   totals     every block's checksum; rows in order, that add up to what was counted
 *   rejects    as many lines as rows were rejected
 *   dataset    of the last commit; all that check-dataset.ts says, and it holds, read by another reader, what the totals hold
 *
 * Goes on after what it finds.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import type { ColumnNames } from '../core/options.ts';
import { isDataset } from '../dataset/replaceable.ts';
import { inForm, REJECTS_FILES } from '../dataset/rejects-file.ts';
import type { Head } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { checkDataset, NOTHING_FOUND, type DatasetFound } from './check-dataset.ts';
import { checkIds, type IdsFound } from './check-ids.ts';
import { checkTotals } from './check-totals.ts';
import { rejectsForm } from './publish.ts';
import { committed, indexOf, schemaOf, type Committed } from './state-content.ts';
import { publishedAt, withState, type Published, type StateOf } from './inspect.ts';
import { RegionSums } from './region-sums.ts';

/** What `checkState` found. */
export interface StateCheck {
  /** Absolute, as is the other. */
  readonly folder: string;
  readonly output: string;
  /** Sentences. None: nothing is wrong. */
  readonly problems: readonly string[];
  /** What was gone over and is good. */
  readonly checked: {
    readonly commits: number;
    readonly pages: number;
    readonly ids: number;
    /** Rows of the totals. */
    readonly totals: number;
    readonly dataset: DatasetFound;
  };
}

/**
 * Goes over all of a state and its dataset, at the pace of the disk and of one core. Throws what keeps the state from being
 * opened: ETL_STATE_LOCKED, ETL_STATE_READ (there is none), ETL_STATE_DAMAGED, ETL_STATE_WRITE; and ETL_USAGE, ETL_MEMORY.
 */
export async function checkState(of: StateOf): Promise<StateCheck> {
  return withState(of, checkOpenState);
}

/** Of one that is open. `output`: absolute. */
export async function checkOpenState(state: State, output: string): Promise<StateCheck> {
  const problems = await state.check();
  const checked = await new Check(state, output, (problem) => problems.push(problem)).run();
  return { folder: state.folder, output, problems, checked };
}

class Check {
  readonly #state: State;
  readonly #output: string;
  readonly #tell: (problem: string) => void;

  constructor(state: State, output: string, tell: (problem: string) => void) {
    this.#state = state;
    this.#output = output;
    this.#tell = tell;
  }

  async run(): Promise<StateCheck['checked']> {
    const { head } = this.#state;
    const ids = await this.#checkIds();
    const published = await publishedAt(this.#output, head);
    this.#checkPublished(published, head);
    const isThere = published === 'foreign' ? await isDataset(this.#output) : published !== 'nothing';
    const dataset = isThere ? await realpath(this.#output) : undefined;
    if (head) return this.#checkCommit(head, ids, published, dataset);
    return { ...ids, commits: 0, totals: 0, dataset: dataset === undefined ? NOTHING_FOUND : await checkDataset({ folder: dataset, hasState: false, tell: this.#tell }) };
  }

  async #checkIds(): Promise<IdsFound> {
    const { folder } = this.#state;
    try {
      return await checkIds({ folder, index: indexOf(this.#state), tell: this.#tell });
    } catch (error) {
      if (!(error instanceof EtlError && error.code === 'ETL_STATE_DAMAGED')) throw error;
      this.#tell(error.message);
      return { pages: 0, ids: 0 };
    }
  }

  async #checkCommit(head: Head, ids: IdsFound, published: Published, dataset: string | undefined): Promise<StateCheck['checked']> {
    const { folder } = this.#state;
    const last = committed(head);
    const schema = schemaOf(head);
    const { read, counted, duplicates, rejected } = last.rows;
    if (read !== counted + duplicates + rejected || counted !== head.ids + last.forgotten) {
      this.#tell(`The rows of commit ${last.commit} do not balance: ${read} read, ${counted} counted, ${duplicates} duplicates, ${rejected} rejected, ${head.ids} ids, ${last.forgotten} forgotten.`);
    }
    const sums = await RegionSums.load();
    const good = await checkTotals({ folder, last, byUser: schema.groupBy === 'user', sums, tell: this.#tell });
    const isLast = published === 'last';
    await this.#checkRejects(last, schema.columns, isLast ? dataset : undefined);
    const found = dataset === undefined ? NOTHING_FOUND : await checkDataset({
      folder: dataset, hasState: published !== 'foreign', tell: this.#tell,
      ...(isLast && { commit: { last, schema }, expected: good ? sums : undefined }),
    });
    return { ...ids, commits: head.commit, totals: good ? last.totals.rows : 0, dataset: found };
  }

  #checkPublished(published: Published, head: Head | undefined): void {
    const last = head ? `commit ${head.commit}` : 'nothing';
    const next = 'The next run publishes it.';
    if (published === 'earlier') this.#tell(`The dataset ${this.#output} is of an earlier commit than the last, which is ${last}. ${next}`);
    if (published === 'nothing' && head) this.#tell(`There is no dataset at ${this.#output}; it should be that of ${last}. ${next}`);
    if (published === 'later') this.#tell(`The dataset ${this.#output} is of a later commit than the last, which is ${last}: the state went back.`);
    if (published === 'foreign') this.#tell(`What is at ${this.#output} was not published from this state.`);
  }

  /** `dataset`: has the same lines, if there is one. */
  async #checkRejects({ rejects, rows }: Committed, columns: ColumnNames, dataset: string | undefined): Promise<void> {
    try {
      const files = rejects.map(({ file }) => join(this.#state.folder, file));
      const kept = await linesOf(bytesOf(files));
      if (kept.lines !== rows.rejected) this.#tell(`The state keeps ${kept.lines} rejected rows, and ${rows.rejected} were rejected.`);
      if (dataset === undefined) return;
      const format = existsSync(join(dataset, REJECTS_FILES.csv)) ? 'csv' : 'jsonl';
      const expected = format === 'jsonl' ? kept : await linesOf(inForm(bytesOf(files), rejectsForm({ columns, rejectsFormat: format })));
      const published = await linesOf(bytesOf([join(dataset, REJECTS_FILES[format])]));
      if (published.hash !== expected.hash) this.#tell(`The dataset's ${REJECTS_FILES[format]} does not hold the rows that were rejected.`);
    } catch (error) {
      this.#tell(`Rejected rows cannot be read: ${messageOf(error)}.`);
    }
  }
}

/** Of files, one behind the other. */
async function* bytesOf(paths: readonly string[]): AsyncGenerator<Buffer> {
  for (const path of paths) yield* createReadStream(path) as AsyncIterable<Buffer>;
}

/** How many lines there are, and what tells their bytes from others. */
async function linesOf(pieces: AsyncIterable<Buffer | string>): Promise<{ lines: number; hash: string }> {
  const hash = createHash('sha256');
  let lines = 0;
  for await (const some of pieces) {
    const piece = Buffer.from(some as string);
    hash.update(piece);
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines++;
  }
  return { lines, hash: hash.digest('hex') };
}
