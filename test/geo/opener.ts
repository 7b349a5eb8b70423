/**
 * A program that opens databases, for files that might hang it or use up its heap: `[{file, field}]` as JSON on stdin, a
 * line of JSON for each on stdout: the error, or the regions. With a small heap: what allocates without bound is seen.
 */
import { spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { EtlError } from '../../lib/core/errors.ts';
import { openRangeTable, type RangeTableOptions } from '../../lib/geo/range-table.ts';
import { openSide } from './sides.ts';

export interface Opened {
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  readonly regions?: readonly string[];
  readonly seconds: number;
}

const HEAP_MB = 128;

/** Opens them in a process of its own; throws when it does not end as it should. */
export function openApart(databases: readonly RangeTableOptions[], timeout = 120_000): Opened[] {
  const program = fileURLToPath(import.meta.url);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [`--max-old-space-size=${HEAP_MB}`, '--import', 'tsx', program, 'open'], {
    input: JSON.stringify(databases), timeout, killSignal: 'SIGKILL', encoding: 'utf8', maxBuffer: 64 << 20,
  });
  const lines = stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Opened);
  if (status !== 0) throw new Error(`ended with ${status ?? signal} at ${JSON.stringify(databases[lines.length])}: ${stderr.slice(0, 2000)}`);
  return lines;
}

async function open(options: RangeTableOptions): Promise<Opened> {
  const { memory, kernel } = await openSide('kernel');
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    const { regions } = await openRangeTable(options, memory, kernel);
    return { regions, seconds: seconds() };
  } catch (error) {
    if (!(error instanceof EtlError)) throw error;
    const { code, message, hint } = error;
    return { code, message, seconds: seconds(), ...(hint === undefined ? {} : { hint }) };
  }
}

if (process.argv[2] === 'open') {
  for (const options of JSON.parse(await text(process.stdin)) as RangeTableOptions[]) process.stdout.write(`${JSON.stringify(await open(options))}\n`);
}
