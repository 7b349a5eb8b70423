/** SQL as text: where a statement ends, and whether there is one. What it means, only DuckDB knows. */
import { addAbortSignal, type Readable } from 'node:stream';
import { EtlError, messageOf } from '../../core/errors.ts';

/** More is no query that somebody wrote. */
const MOST_BYTES = 16e6;

/** Quoted text, names in quotes, comments of a line, and words, each as a whole; what is not closed goes on to the end. */
const TOKEN = /e'(?:[^'\\]|''|\\[^])*(?:'|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|--[^\n]*|\$([a-z_]\w*)?\$(?:[^]*?\$\1\$|[^]*$)|\/\*|[\w$\u0080-\uffff]+|[^]/giy;

/** Behind the first `;` that ends a statement; undefined: there is none yet. */
export function statementEnd(text: string): number | undefined {
  for (const { token, end } of tokens(text)) if (token === ';') return end;
  return undefined;
}

/** Whether there is nothing but blanks, comments and `;`. */
export function isBlank(text: string): boolean {
  for (const { token } of tokens(text)) if (!/^(?:\s|;|--|\/\*)/.test(token)) return false;
  return true;
}

function* tokens(text: string): Generator<{ readonly token: string; readonly end: number }> {
  for (let at = 0; at < text.length;) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)![0];
    at = token === '/*' ? commentEnd(text, at) : at + token.length;
    yield { token, end: at };
  }
}

/** Comments of this kind are nested, as PostgreSQL has them. */
function commentEnd(text: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  let depth = 0;
  for (let found = mark.exec(text); found; found = mark.exec(text)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return text.length;
}

/** The statement on standard input, to its end: UTF-8, with or without a byte order mark. Throws ETL_USAGE, ETL_INPUT_READ, ETL_ABORTED. */
export async function readStatement(input: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of addAbortSignal(signal, input) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw new EtlError('ETL_USAGE', `The SQL on standard input has more than ${MOST_BYTES / 1e6} MB.`);
    }
  } catch (cause) {
    if (signal.aborted) throw new EtlError('ETL_ABORTED', 'The command was stopped before it had all of the SQL.', { cause: signal.reason });
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('ETL_INPUT_READ', `Cannot read SQL from standard input: ${messageOf(cause)}.`, { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)); // leaves out the mark
  } catch (cause) {
    throw new EtlError('ETL_USAGE', 'The SQL on standard input is no UTF-8.', { cause });
  }
}
