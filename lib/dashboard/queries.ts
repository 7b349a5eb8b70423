/**
 * The SQL box: one statement that reads, checked and run by the process for it (lib/sql/), with a limit of time and memory; it is cancelled when whoever
 * asked goes away. Of a long result the beginning is given, as far as rows or characters go: all of it is what an export is for.
 */
import { MOST_ANSWER_ROWS, type QueryAnswer } from './api.ts';
import type { SessionSlot } from './slot.ts';
import type { Snapshot } from './snapshots.ts';

/** Of all values of an answer. */
const MOST_CHARACTERS = 8e6;

export interface QueryContext {
  readonly slot: SessionSlot;
  readonly seconds: number;
  /** Of whoever asked. */
  readonly signal: AbortSignal;
}

export async function answerOf(snapshot: Snapshot, sql: string, { slot, seconds, signal }: QueryContext): Promise<QueryAnswer> {
  const begin = performance.now();
  return slot.use(snapshot, async (session) => {
    signal.throwIfAborted();
    const result = await session.query(sql, { seconds, signal });
    const rows: (string | null)[][] = [];
    let characters = 0;
    let isCut = false;
    for await (const batch of result.batches()) {
      for (let row = 0; row < batch.rows && !isCut; row++) {
        const values = batch.columns.map((column) => column[row]!);
        for (const value of values) characters += value?.length ?? 0;
        isCut = rows.length === MOST_ANSWER_ROWS || characters > MOST_CHARACTERS;
        if (!isCut) rows.push(values);
      }
      if (isCut) break; // which ends the query
    }
    return { snapshot: snapshot.id, columns: result.columns, rows, isCut, seconds: (performance.now() - begin) / 1000 };
  });
}
