/** Fields of whole, well-formed records in any dialect, by csv-parse. */
import { isAscii } from 'node:buffer';
import type { Dialect } from '../core/dialect.ts';

export type FieldReader = (records: Buffer, count: number) => string[][] | undefined;

/**
 * Reads the fields of `count` records that stand one behind the other, with empty lines and comments in between. They come as
 * latin1, a character for each byte, so that nothing is replaced (Buffers would take csv-parse three times as long). undefined when csv-parse finds another number of them, or a fault.
 */
export async function loadFieldReader({ delimiter, quote, escape, comment }: Pick<Dialect, 'delimiter' | 'quote' | 'escape' | 'comment'>): Promise<FieldReader> {
  const { parse } = await import('csv-parse/sync'); // takes 5 ms, which few need
  const options = {
    encoding: 'latin1', bom: false, relax_column_count: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n', '\r'],
    delimiter: Buffer.from(delimiter),
    quote: quote === '' ? null : Buffer.from(quote),
    escape: quote === '' ? null : Buffer.from(escape),
    comment: comment === '' ? null : Buffer.from(comment),
    comment_no_infix: true,
  } as const;
  return (records, count) => {
    try {
      const fields = parse(records, options as object) as unknown as string[][];
      return fields.length === count ? fields : undefined;
    } catch {
      return undefined;
    }
  };
}

/** Text of a field that is given as its bytes. */
export function textOf(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  return isAscii(bytes) ? latin1 : bytes.toString();
}
