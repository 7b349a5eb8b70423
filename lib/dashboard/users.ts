/**
 * Rows in the order of their users, a page at a time: a page begins behind the last row of the one before (its cursor), so the thousandth costs
 * what the first does. Prefix and cursor are ranges of users, which are sorted in the files: only row groups that have some are read.
 */
import { PAGE_ROWS, type RowPage } from './api.ts';
import { afterPrefix } from './prefix.ts';
import { Refusal } from './problems.ts';
import { inRegion } from './selection.ts';
import type { Snapshot } from './snapshots.ts';
import { topRow } from './top.ts';
import type { Views } from './views.ts';

export interface UsersAsked {
  readonly region: string | null;
  readonly prefix: string;
  /** `next` of the page before. */
  readonly after: string | undefined;
}

export async function usersOf(snapshot: Snapshot, { region, prefix, after }: UsersAsked, views: Views): Promise<RowPage> {
  const { where, parameters } = inRegion(region);
  const conditions = [where];
  const bound: Record<string, string> = { ...parameters };
  const end = afterPrefix(prefix);
  if (end !== undefined) {
    conditions.push('user_id < $end');
    bound.end = end;
  }
  const cursor = after === undefined ? undefined : cursorOf(after);
  if (cursor) {
    conditions.push('user_id >= $user AND (user_id > $user OR geo_region > $last)');
    [bound.user, bound.last] = cursor;
  }
  if (prefix !== '') {
    conditions.push('user_id >= $prefix');
    bound.prefix = prefix;
  }
  const found = await views.rows(snapshot, `
    SELECT user_id, geo_region, total_watch_time, log_count FROM watch_time WHERE ${conditions.join(' AND ')}
    ORDER BY user_id, geo_region LIMIT ${PAGE_ROWS + 1}`, bound);
  const rows = found.slice(0, PAGE_ROWS).map(topRow);
  const last = rows.at(-1);
  return { snapshot: snapshot.id, rows, next: found.length > PAGE_ROWS && last ? textOf(last) : null };
}

function textOf({ user, region }: RowPage['rows'][number]): string {
  return Buffer.from(JSON.stringify([user, region])).toString('base64url');
}

/** User and region of the row that a page begins behind. */
function cursorOf(text: string): [user: string, region: string] {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string')) return value as [string, string];
  } catch {
    // told below
  }
  throw new Refusal(400, 'after must be what a page said in next.');
}
