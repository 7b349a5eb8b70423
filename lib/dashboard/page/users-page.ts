/** A page of users: where it is, and what is said of it. */
import { visible } from '../../page/dom.ts';
import { number } from '../../page/format.ts';
import type { TopRow } from '../../report/report.ts';
import { MOST_TOP, type Selection } from '../api.ts';
import type { State } from './store.ts';

/** Number of a page's first row, from 0; what to ask for to have it, null: the first page. */
export interface Place {
  readonly start: number;
  readonly cursor: string | null;
}

export const FIRST: Place = { start: 0, cursor: null };

export interface Page extends Place {
  readonly rows: readonly TopRow[];
  readonly next: string | null;
}

/** What the server has said of the region that is picked, if it has. */
export function selected({ selection, region, overview }: State): Selection | undefined {
  return selection.status === 'ready' && selection.value.region === region && selection.value.snapshot === overview.snapshot ? selection.value : undefined;
}

/** With a prefix there is one order. */
export function isByUser({ find, sort, overview }: State): boolean {
  return overview.hasSql && (find !== '' || sort === 'user');
}

export function firstPage({ top, rows }: Selection): Page {
  return { start: 0, cursor: null, rows: top, next: top.length < Math.min(rows, MOST_TOP) ? String(top.length) : null };
}

export function notes({ overview }: State): string[] {
  return [
    overview.groupBy === 'region' ? 'A row is a user in one region: who was in several has several rows.' : 'A row is a user with all of its watch time; the region is the one where most of it was.',
    overview.hasSql ? undefined : ' Without DuckDB these are the first ones of the last report; nobody can be looked for.',
  ].filter((note) => note !== undefined);
}

/** `Rows 51 to 100 of 1,234,567`. */
export function range({ start, rows, next }: Page, state: State): string {
  if (rows.length === 0) return 'No rows.';
  const { find } = state;
  const selection = selected(state);
  const last = start + rows.length;
  const which = find !== '' ? ` of those that begin with ${visible(find)}` : selection ? ` of ${number(selection.rows)}` : '';
  const isEnd = next === null && last === MOST_TOP && !isByUser(state) ? '. The others are listed by user' : '';
  return `${rows.length === 1 ? `Row ${number(last)}` : `Rows ${number(start + 1)} to ${number(last)}`}${which}${isEnd}.`;
}
