/** What requests say, checked: parameters of addresses, and the JSON of a query. Nothing of it becomes a path, or a part of SQL. */
import type { Context } from 'hono';
import { Refusal } from './problems.ts';
import type { Env } from './security.ts';

/** Of regions, prefixes and cursors, in characters; names of users are shorter. */
const MOST_TEXT = 8192;
/** Of a query, and of the JSON around it, in bytes. */
export const MOST_SQL = 48 << 10;
export const MOST_BODY = 64 << 10;

/** A text parameter; undefined: it is not there. One that is there twice is an error, and so is one that is too long. */
export function text(c: Context<Env>, name: string): string | undefined {
  const values = c.req.queries(name) ?? [];
  if (values.length > 1) throw new Refusal(400, `${name} is there more than once.`);
  if (values[0] !== undefined && values[0].length > MOST_TEXT) throw new Refusal(400, `${name} is too long.`);
  return values[0];
}

/** A whole number that is at most `most`. */
export function whole(c: Context<Env>, name: string, most: number): number {
  const value = text(c, name) ?? '0';
  if (!/^\d{1,9}$/.test(value) || Number(value) > most) throw new Refusal(400, `${name} must be a whole number from 0 to ${most}.`);
  return Number(value);
}

/** The JSON object of a request, of at most MOST_BODY bytes. */
export async function body(c: Context<Env>): Promise<Map<string, unknown>> {
  const { incoming } = c.env;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MOST_BODY) throw new Refusal(413, `The request is larger than ${MOST_BODY} bytes.`);
    pieces.push(piece);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces)));
  } catch {
    throw new Refusal(400, 'The request is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refusal(400, 'The request must be an object.');
  return new Map(Object.entries(value));
}

/** A query's SQL. */
export function sqlOf(value: unknown): string {
  if (typeof value !== 'string' || value.trim() === '') throw new Refusal(400, 'sql must be the text of a query.');
  if (Buffer.byteLength(value) > MOST_SQL) throw new Refusal(413, `The query is longer than ${MOST_SQL} bytes.`);
  return value;
}
