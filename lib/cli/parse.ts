/**
 * `etl-stream parse [file] --json`: the parser alone, each record as a JSON array on a line of its own. Malformed records are
 * left out, or repaired, and told on stderr, a JSON line each; with `--on-error fail` the first one ends the command.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { DEFAULT_MAX_RECORD } from '../core/options.ts';
import { checkCsv, EtlError } from '../index.ts';
import { dialectOf, type DialectFlags } from './dialect.ts';
import { EXIT_DONE } from './exit.ts';
import { parseSize } from './size.ts';

export interface ParseFlags extends DialectFlags {
  json: true;
}

export async function parseCommand(file: string, flags: ParseFlags): Promise<number> {
  const name = file === '-' ? '<stdin>' : file;
  const input = file === '-' ? process.stdin : createReadStream(file);
  const maxRecordBytes = flags.maxRecord === undefined ? DEFAULT_MAX_RECORD : parseSize(flags.maxRecord, '--max-record');
  try {
    for await (const { records, malformed } of checkCsv(input, { ...dialectOf(flags), name, onError: flags.onError, maxRecordBytes })) {
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
