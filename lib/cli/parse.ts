/** `etl-stream parse [file] --json`: the parser alone, each record as a JSON array on a line of its own. */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { EtlError, parseCsv } from '../index.ts';
import { EXIT_DONE } from './exit.ts';

export interface ParseFlags {
  json: true;
}

export async function parseCommand(file: string, _flags: ParseFlags): Promise<number> {
  const name = file === '-' ? '<stdin>' : file;
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    for await (const batch of parseCsv(input, { name })) {
      let lines = '';
      for (const { fields } of batch) lines += `${JSON.stringify(fields)}\n`;
      if (!process.stdout.write(lines)) await once(process.stdout, 'drain');
    }
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('ETL_INPUT_READ', `Cannot read the input ${name}: ${(cause as Error).message}.`, { cause });
  }
  return EXIT_DONE;
}
