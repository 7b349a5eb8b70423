/** What the options come to that say how CSV is written: the same for every command that reads it. */
import type { DialectOptions } from '../core/dialect.ts';
import type { Encoding, OnError } from '../core/options.ts';

export interface DialectFlags {
  readonly encoding?: Encoding;
  readonly delimiter?: string;
  readonly quote?: string;
  readonly escape?: string;
  readonly comment?: string;
  /** false: --no-header. */
  readonly header?: boolean;
  readonly columns?: string[];
  readonly skipLines?: number;
  readonly sniff?: boolean;
  readonly onError?: OnError;
  /** Bytes. */
  readonly maxRecord?: number;
}

/** undefined is what was not said. */
export function dialectOf({ delimiter, quote, escape, comment, header, columns, skipLines }: DialectFlags): DialectOptions {
  return { delimiter, quote, escape, comment, header: header === false ? false : undefined, names: columns, skipLines };
}
