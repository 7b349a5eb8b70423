/** What went wrong in the process of DuckDB, as it is told: without paths outside of the dataset, and without traces of DuckDB's own code. */
import { messageOf } from '../core/errors.ts';
import type { Failure } from './messages.ts';
import { QueryRefused } from './statement.ts';

/** DuckDB is not installed, or not for this system. */
export class Missing extends Error {
  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}

const MOST_CHARACTERS = 2000;

/** `hidden`: paths that are not told. */
export function failureOf(error: unknown, hidden: readonly string[]): Failure {
  let message = messageOf(error).replace(/^Failed to \w+ \w+: /, '').split(/\n+Stack Trace:/)[0]!.trimEnd();
  for (const path of hidden) message = message.replaceAll(path, '(temporary)');
  if (message.length > MOST_CHARACTERS) message = `${message.slice(0, MOST_CHARACTERS)}…`;
  if (error instanceof Missing) return { kind: 'missing', message };
  if (error instanceof QueryRefused) return { kind: 'sql', message, ...(error.hint !== undefined && { hint: error.hint }) };
  const isMemory = /^Out of Memory Error|^Failed to allocate/i.test(message);
  return { kind: isMemory ? 'memory' : 'sql', message };
}
