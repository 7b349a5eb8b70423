/** Rejects of a dataset: how many there are of each reason, and the first ones of one, or of all. Long texts are cut: they are examples. */
import type { RejectExample, Rejects } from './api.ts';
import type { Snapshot } from './snapshots.ts';
import type { Views } from './views.ts';

const MOST_REASONS = 200;
const MOST_EXAMPLES = 20;
const MOST_CHARACTERS = 2000;

/** `reason`: that of the examples; undefined: any. */
export async function rejectsOf(snapshot: Snapshot, reason: string | undefined, views: Views): Promise<Rejects> {
  const { reasons, rows } = await snapshot.answers.rejects.get('', () => reasonsOf(snapshot, views));
  const key = reason === undefined ? 'any' : `=${reason}`;
  const { examples } = await snapshot.answers.rejects.get(key, async () => ({ snapshot: snapshot.id, reasons, rows, examples: await examplesOf(snapshot, reason, views) }), (found) => found.examples.length === 0);
  return { snapshot: snapshot.id, reasons, rows, examples };
}

async function reasonsOf(snapshot: Snapshot, views: Views): Promise<Rejects> {
  if (snapshot.dataset.description.rows.rejected === 0) return { snapshot: snapshot.id, reasons: [], rows: 0, examples: [] };
  const found = await views.rows(snapshot, `SELECT reason, count(*) AS n FROM rejects GROUP BY 1 ORDER BY n DESC, reason`, {});
  const reasons = found.map(([reason, rows]) => ({ reason: reason ?? '', rows: Number(rows) }));
  return { snapshot: snapshot.id, reasons: reasons.slice(0, MOST_REASONS), rows: reasons.reduce((sum, { rows }) => sum + rows, 0), examples: [] };
}

async function examplesOf(snapshot: Snapshot, reason: string | undefined, views: Views): Promise<RejectExample[]> {
  if (snapshot.dataset.description.rows.rejected === 0) return [];
  const cut = (column: string): string => `left(${column}, ${MOST_CHARACTERS})`;
  const found = await views.rows(snapshot, `
    SELECT reason, ${cut('file')}, line, ${cut('"column"')}, ${cut('message')}, ${cut('raw')} FROM rejects
    ${reason === undefined ? '' : 'WHERE reason = $reason'} LIMIT ${MOST_EXAMPLES}`, reason === undefined ? {} : { reason });
  return found.map(([of, file, line, column, message, raw]) => ({ reason: of ?? '', file: file ?? '', line: Number(line), column: column ?? null, message: message ?? '', raw: raw ?? '' }));
}
