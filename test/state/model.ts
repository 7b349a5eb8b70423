/** What a state should hold after so many commits of a seeded series, kept by plain arrays and maps; and what one does hold. */
import { State } from '../../lib/state/state.ts';
import type { CommitRecord, Head, InputRecord, NewCommit, NewInput, RowCounts } from '../../lib/state/records.ts';
import { random } from '../random.ts';

export interface Contents {
  readonly head: Head | undefined;
  readonly inputs: readonly InputRecord[];
  readonly commits: readonly CommitRecord[];
  /** Slice -> its pages as they were added, in hexadecimal; slices without pages have none. */
  readonly pages: Readonly<Record<string, readonly string[]>>;
}

export interface SeriesOptions {
  readonly seed: number;
  readonly pagesPerCommit?: number;
  readonly pageBytes?: number;
}

interface Plan {
  readonly pages: readonly (readonly [slice: number, page: Uint8Array])[];
  /** Slices whose pages so far are merged into one. */
  readonly merged: readonly number[];
  readonly content: NewCommit;
  readonly inputs: readonly NewInput[];
}

const SLICES = 12;

/** Commit after commit: each is the same whenever it is made. */
export class Series {
  readonly #options: SeriesOptions;
  #commit = 0;
  #rows: RowCounts = { read: 0, counted: 0, duplicates: 0, rejected: 0 };
  #head: Head | undefined;
  readonly #inputs = new Map<string, InputRecord>();
  readonly #commits: CommitRecord[] = [];
  readonly #pages = new Map<number, Uint8Array[]>();
  #plan: Plan;

  constructor(options: SeriesOptions) {
    this.#options = options;
    this.#plan = this.#planNext();
  }

  /** A series that has made so many commits. */
  static after(commits: number, options: SeriesOptions): Series {
    const series = new Series(options);
    for (let n = 0; n < commits; n++) series.skip();
    return series;
  }

  /** What should be in the state now. */
  get contents(): Contents {
    return {
      head: this.#head,
      inputs: Array.from(this.#inputs.values()).sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))),
      commits: this.#commits,
      pages: Object.fromEntries(Array.from(this.#pages, ([slice, pages]) => [String(slice), pages.map(hex)])),
    };
  }

  /** Adds the pages of the next commit; their bytes are overwritten as soon as that is allowed. */
  async add(state: State): Promise<void> {
    for (const [slice, page] of this.#plan.pages) {
      const bytes = page.slice();
      await state.add(slice, bytes);
      bytes.fill(0);
    }
    for (const slice of this.#plan.merged) {
      const parts: Uint8Array[] = [];
      for await (const { page } of state.pages(slice)) parts.push(page.slice());
      await state.replace(slice, state.committed(slice), merge(parts));
    }
  }

  async commit(state: State): Promise<Head> {
    await this.add(state);
    const head = await state.commit(this.#plan.content, this.#plan.inputs);
    this.skip();
    return head;
  }

  /** Goes on as if the next commit had been made. */
  skip(): void {
    const { pages, merged, content, inputs } = this.#plan;
    const commit = ++this.#commit;
    const before = this.#head;
    let bytes = 0;
    const added = pages.map(([slice, page]) => [slice, page] as const);
    for (const slice of merged) {
      added.push([slice, merge(this.#pages.get(slice) ?? [])]);
      this.#pages.set(slice, []);
    }
    for (const [slice, page] of added) {
      this.#pages.set(slice, [...this.#pages.get(slice) ?? [], page]);
      bytes += page.length;
    }
    for (const input of inputs) this.#inputs.set(input.path, { ...input, commit, when: content.when });
    this.#head = { format: 1, commit, ...content };
    const rows = Object.fromEntries(Object.entries(content.rows).map(([name, count]) => [name, count - (before?.rows[name as keyof RowCounts] ?? 0)]));
    this.#commits.push({ commit, when: content.when, inputs: inputs.length, rows: rows as unknown as RowCounts, ids: content.ids - (before?.ids ?? 0), bytes });
    this.#rows = content.rows;
    this.#plan = this.#planNext();
  }

  #planNext(): Plan {
    const { seed, pagesPerCommit = 6, pageBytes = 300 } = this.#options;
    const commit = this.#commit + 1;
    const next = random(seed * 1000 + commit);
    const below = (limit: number): number => Math.floor(next() * limit);
    const pages = Array.from({ length: pagesPerCommit }, () => {
      const page = new Uint8Array(1 + below(2 * pageBytes));
      for (let at = 0; at < page.length; at += pageBytes > 10_000 ? 97 : 1) page[at] = below(256);
      return [below(SLICES), page] as const;
    });
    const merged = Array.from({ length: SLICES }, (_, slice) => slice).filter((slice) => (this.#pages.get(slice)?.length ?? 0) >= 3);
    const { read, counted, duplicates, rejected } = this.#rows;
    const rows = { read: read + 100, counted: counted + 90 + below(5), duplicates: duplicates + below(5), rejected: rejected + below(5) };
    return {
      pages,
      merged,
      inputs: Array.from({ length: 1 + below(4) }, () => ({
        path: `/logs/${below(9)}/tag–${below(3)}.csv`,
        size: below(1e9),
        mtime: `17000000000000${below(1e5)}`,
        fingerprint: below(2 ** 32).toString(16),
        rows: below(100),
      })).filter(({ path }, at, all) => all.findIndex((other) => other.path === path) === at),
      content: {
        version: '1.2.3',
        when: new Date(1.7e12 + commit * 1000).toISOString(),
        schema: { groupBy: 'region,user', valueScale: 2 },
        ids: counted + 90,
        rows,
        totals: [{ file: `totals-${commit}.bin`, rows: below(1000), seal: 'x' }],
        regions: ['de', 'fr', `r${commit}`],
        ...(commit % 2 === 0 && { published: { folder: 'out', part: commit } }),
      },
    };
  }
}

export async function contentsOf(state: State): Promise<Contents> {
  const pages: Record<string, string[]> = {};
  for await (const { slice, page } of state.pages(0, SLICES - 1)) (pages[slice] ??= []).push(hex(page));
  const inputs = await all(state.inputs());
  for (const input of inputs) {
    const found = await state.input(input.path);
    if (JSON.stringify(found) !== JSON.stringify(input)) throw new Error(`the input ${input.path} is found as ${JSON.stringify(found)}`);
  }
  return { head: state.head, inputs, commits: await all(state.commits()), pages };
}

export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

function merge(pages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Buffer.from('merged'), ...pages]);
}

function hex(bytes: Uint8Array): string {
  return bytes.length > 2000 ? `${bytes.length}:${Buffer.from(bytes).toString('base64')}` : Buffer.from(bytes).toString('hex');
}
