/**
 * `etl-stream parse [file] --json`: the parser alone, each record as a JSON array on a line of its own. Malformed records are
 * left out, or repaired, and told on stderr, a JSON line each; with `--on-error fail` the first one ends the command.
 */
import { once } from 'node:events';
import { DEFAULT_MAX_RECORD } from '../core/options.ts';
import type { DialectOptions } from '../core/dialect.ts';
import { checkCsv, describeDialect, EtlError, readText, SNIFF_BYTES, sniffDialect } from '../index.ts';
import { dialectOf, type DialectFlags } from './dialect.ts';
import { EXIT_DONE } from './exit.ts';
import { tellGuess } from './guess.ts';

export interface ParseFlags extends DialectFlags {
  json: true;
}

export async function parseCommand([file = '-']: readonly string[], flags: ParseFlags): Promise<number> {
  const name = file === '-' ? '<stdin>' : file;
  try {
    const { input, dialect } = await openInput(file, name, flags);
    for await (const { records, malformed } of checkCsv(input, { ...dialect, name, onError: flags.onError, maxRecordBytes: flags.maxRecord ?? DEFAULT_MAX_RECORD })) {
      for (const told of malformed) process.stderr.write(`${JSON.stringify({ file: name, ...told })}\n`);
      let lines = '';
      for (const fields of records) lines += `${JSON.stringify(fields)}\n`;
      if (lines !== '' && !process.stdout.write(lines)) await once(process.stdout, 'drain');
    }
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('ETL_INPUT_READ', `Cannot read the input ${name}: ${(cause as Error).message}.`, { cause });
  }
  return EXIT_DONE;
}

/** The input's text, decompressed and in UTF-8, and its dialect: what was said, and with --sniff what its start looks like. */
async function openInput(file: string, name: string, flags: ParseFlags): Promise<{ input: AsyncIterable<Uint8Array>; dialect: DialectOptions }> {
  const given = dialectOf(flags);
  const bytes = readText(file === '-' ? undefined : file, flags.encoding);
  if (!flags.sniff) return { input: bytes, dialect: given };
  const chunks = bytes[Symbol.asyncIterator]();
  const begun: Uint8Array[] = [];
  let length = 0;
  let ended = false;
  while (length < SNIFF_BYTES && !ended) {
    const { done, value } = await chunks.next();
    if (value) begun.push(value);
    length += value?.length ?? 0;
    ended = done === true;
  }
  const { names, ...dialect } = sniffDialect(Buffer.concat(begun), { given, name, whole: ended });
  tellGuess({ dialect: describeDialect(dialect), inputs: 1, first: name });
  async function* all(): AsyncGenerator<Uint8Array> {
    yield* begun;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { input: all(), dialect: { ...dialect, escape: dialect.quote === '' ? undefined : dialect.escape, names: given.names } };
}
