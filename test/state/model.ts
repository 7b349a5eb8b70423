/** What a state should hold after so many writes of a seeded series, kept by plain values and maps; and what one does hold. */
import type { CommitRecord, Head, InputRecord, NewCommit, NewIndex, NewInput, RowCounts } from '../../lib/state/records.ts';
import { State } from '../../lib/state/state.ts';
import { random } from '../random.ts';

export interface Contents {
  readonly head: Head | undefined;
  /** As text. */
  readonly index: string;
  readonly inputs: readonly InputRecord[];
  readonly commits: readonly CommitRecord[];
}

export interface SeriesOptions {
  readonly seed: number;
  readonly indexBytes?: number;
}

/** What the writes of a series are, one after the other, again and again. */
export const KINDS = ['commit', 'commit', 'amend', 'commit', 'afresh'] as const;

interface Plan {
  readonly kind: (typeof KINDS)[number];
  readonly content: NewCommit;
  readonly index: NewIndex;
  readonly inputs: readonly NewInput[];
}

const NO_ROWS: RowCounts = { read: 0, counted: 0, duplicates: 0, rejected: 0 };

/** Write after write: each is the same whenever it is made. */
export class Series {
  readonly #options: SeriesOptions;
  #writes = 0;
  #head: Head | undefined;
  #index: Uint8Array = new Uint8Array(0);
  readonly #inputs = new Map<string, InputRecord>();
  readonly #commits: CommitRecord[] = [];
  #plan: Plan;

  constructor(options: SeriesOptions) {
    this.#options = options;
    this.#plan = this.#planNext();
  }

  /** A series that has made so many writes. */
  static after(writes: number, options: SeriesOptions): Series {
    const series = new Series(options);
    for (let n = 0; n < writes; n++) series.skip();
    return series;
  }

  /** What should be in the state now; it stays as it is. */
  get contents(): Contents {
    return structuredClone({
      head: this.#head,
      index: textOf(this.#index),
      inputs: Array.from(this.#inputs.values()).sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))),
      commits: this.#commits,
    });
  }

  /** The kind of the next write. */
  get next(): Plan['kind'] {
    return this.#plan.kind;
  }

  /** Makes the next write. */
  async write(state: State): Promise<Head> {
    const { kind, content, index, inputs } = this.#plan;
    const head = await (kind === 'amend' ? state.amend(content, index.value) : state.commit(content, index, inputs, { afresh: kind === 'afresh' }));
    this.skip();
    return head;
  }

  /** Goes on as if the next write had been made. */
  skip(): void {
    const { kind, content, index, inputs } = this.#plan;
    if (kind === 'amend') {
      this.#head = { ...this.#head!, ...content };
    } else {
      const commit = this.#commits.length + 1;
      const { when } = content;
      const before: RowCounts = kind === 'afresh' ? NO_ROWS : this.#head?.rows ?? NO_ROWS;
      if (kind === 'afresh') this.#inputs.clear();
      for (const input of inputs) this.#inputs.set(input.path, { ...input, commit, when });
      const rows = Object.fromEntries(Object.entries(content.rows).map(([name, count]) => [name, count - before[name as keyof RowCounts]]));
      this.#head = { format: 2, commit, ...content };
      this.#commits.push({ commit, when, inputs: inputs.length, rows: rows as unknown as RowCounts, bytes: index.addedBytes });
    }
    this.#index = index.value;
    this.#writes++;
    this.#plan = this.#planNext();
  }

  #planNext(): Plan {
    const { seed, indexBytes = 300 } = this.#options;
    const kind = KINDS[this.#writes % KINDS.length]!;
    const next = random(seed * 1000 + this.#writes);
    const below = (limit: number): number => Math.floor(next() * limit);
    const value = new Uint8Array(1 + below(2 * indexBytes));
    for (let at = 0; at < value.length; at += indexBytes > 10_000 ? 97 : 1) value[at] = below(256);
    const index = { value, addedBytes: below(1e9) };
    if (kind === 'amend') {
      const { format: _, commit: __, ...content } = this.#head!;
      return { kind, index, inputs: [], content: { ...content, ids: content.ids - 1 - below(50), published: { ...content.published, forgotten: below(1e6) } } };
    }
    const commit = this.#commits.length + 1;
    const { read, counted, duplicates, rejected } = kind === 'afresh' ? NO_ROWS : this.#head?.rows ?? NO_ROWS;
    const rows = { read: read + 100, counted: counted + 90 + below(5), duplicates: duplicates + below(5), rejected: rejected + below(5) };
    return {
      kind,
      index,
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
        ids: rows.counted,
        rows,
        totals: [{ file: `totals-${commit}.bin`, rows: below(1000), seal: 'x' }],
        regions: ['de', 'fr', `r${commit}`],
        ...(commit % 2 === 0 && { published: { folder: 'out', part: commit } }),
      },
    };
  }
}

export async function contentsOf(state: State): Promise<Contents> {
  const inputs = await all(state.inputs());
  for (const input of inputs) {
    const found = await state.input(input.path);
    if (JSON.stringify(found) !== JSON.stringify(input)) throw new Error(`the input ${input.path} is found as ${JSON.stringify(found)}`);
  }
  return { head: state.head, index: textOf(state.index), inputs, commits: await all(state.commits()) };
}

export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

function textOf(bytes: Uint8Array): string {
  return `${bytes.length}:${Buffer.from(bytes).toString('base64')}`;
}
