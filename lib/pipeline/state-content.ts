/** What the records of a state mean: state/ keeps them as they are. */
import { EtlError } from '../core/errors.ts';
import type { ColumnNames, GroupBy } from '../core/options.ts';
import type { KeptRejects } from '../dataset/rejects-file.ts';
import { PageIndex } from '../dedup/page-index.ts';
import type { KeptRun } from '../spill/kept-runs.ts';
import type { Head, NewCommit, RowCounts } from '../state/records.ts';
import type { State } from '../state/state.ts';

export const NO_ROWS: RowCounts = { read: 0, counted: 0, duplicates: 0, rejected: 0 };

/** What all runs over a state have in common. */
export interface Schema {
  readonly columns: ColumnNames;
  readonly groupBy: GroupBy;
  readonly valueScale: number;
}

/** What the last commit has, besides ids. */
export interface Committed {
  readonly commit: number;
  readonly scale: number;
  readonly regions: readonly string[];
  readonly geoDatabase: { readonly type: string; readonly buildDate: string };
  readonly rows: RowCounts;
  readonly totals: KeptRun;
  /** In order. */
  readonly rejects: readonly KeptRejects[];
  /** It ended a run; else it is a checkpoint of one that goes on, and not to be published while it may. */
  readonly isComplete: boolean;
  /** Ids that were counted and are not known any more, by all commits. */
  readonly forgotten: number;
  /** The window that its run had, in milliseconds. */
  readonly window?: number | undefined;
}

/** What the head says besides. */
export function committed(head: Head): Committed {
  const { geoDatabase, rejects, isComplete, forgotten, window } = head.published as unknown as Pick<Committed, 'geoDatabase' | 'rejects' | 'isComplete' | 'forgotten' | 'window'>;
  return {
    commit: head.commit, scale: schemaOf(head).valueScale, regions: head.regions, geoDatabase, rows: head.rows,
    totals: head.totals[0] as unknown as KeptRun, rejects, isComplete, forgotten, window,
  };
}

/** The same content, as a commit is made of it. `id`: the state's own. */
export function contentOf(
  id: string, schema: Schema, ids: number, { regions, geoDatabase, rows, totals, rejects, isComplete, forgotten, window }: Omit<Committed, 'commit' | 'scale'>,
  { version, when }: Pick<NewCommit, 'version' | 'when'>,
): NewCommit {
  return {
    version, when, schema: { ...schema }, ids, rows, totals: [{ ...totals }], regions,
    published: { state: id, geoDatabase, rejects, isComplete, forgotten, ...(window !== undefined && { window }) },
  };
}

export function schemaOf(head: Head): Schema {
  return head.schema as unknown as Schema;
}

/** The state's own id. */
export function idOf(head: Head): string {
  return String(head.published?.state);
}

/** Which pages of ids the last commit has. Throws ETL_STATE_DAMAGED. */
export function indexOf({ index, folder, head }: State): PageIndex {
  if (!head) return PageIndex.empty;
  const decoded = PageIndex.decode(index);
  if (decoded?.ids === head.ids) return decoded;
  throw new EtlError('ETL_STATE_DAMAGED', `The state ${folder} is damaged: its index of pages of ids cannot be that of ${head.ids} ids.`, {
    hint: 'It may be of another version of etl-stream. Build the result anew from all inputs with --overwrite.',
  });
}
