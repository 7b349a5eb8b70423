/** Fields of whole, well-formed records in any dialect, by csv-parse. */
import type { Dialect } from '../core/dialect.ts';

export type FieldReader = (records: Buffer, count: number) => Buffer[][] | undefined;

/**
 * Reads the fields of `count` records that stand one behind the other, with empty lines and comments in between. They come as bytes:
 * nothing is replaced. undefined when csv-parse finds another number of them, or a fault.
 */
export async function loadFieldReader({ delimiter, quote, escape, comment }: Pick<Dialect, 'delimiter' | 'quote' | 'escape' | 'comment'>): Promise<FieldReader> {
  const { parse } = await import('csv-parse/sync'); // takes 5 ms, which few need
  const options = {
    encoding: null, bom: false, relax_column_count: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n', '\r'],
    delimiter: Buffer.from(delimiter),
    quote: quote === '' ? null : Buffer.from(quote),
    escape: quote === '' ? null : Buffer.from(escape),
    comment: comment === '' ? null : comment,
    comment_no_infix: true,
  } as const;
  return (records, count) => {
    try {
      const fields = parse(records, options as object) as unknown as Uint8Array[][];
      if (fields.length !== count) return undefined;
      return fields.map((record) => record.map((field) => Buffer.from(field.buffer, field.byteOffset, field.length)));
    } catch {
      return undefined;
    }
  };
}
