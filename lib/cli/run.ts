/** `etl-stream [inputs...]`: the job, its progress and its summary. */
import { run, type RunOptions } from '../index.ts';
import type { Compression, GroupBy, ParquetEncoding } from '../core/options.ts';
import { EXIT_DONE, untilSignalled } from './exit.ts';
import { parseSize } from './size.ts';
import { formatSummary } from './summary.ts';

export interface RunFlags {
  output?: string;
  overwrite?: boolean;
  idColumn?: string;
  userColumn?: string;
  ipColumn?: string;
  valueColumn?: string;
  valueScale?: number;
  geoDb?: string;
  geoField?: string;
  groupBy: GroupBy;
  compression: Compression;
  parquetEncoding: ParquetEncoding;
  temp?: string;
  memory?: string;
  maxSpill?: string;
  json?: boolean;
  quiet?: boolean;
}

export async function runCommand(inputs: readonly string[], flags: RunFlags): Promise<number> {
  const { idColumn, userColumn, ipColumn, valueColumn, memory, maxSpill, json, quiet, ...same } = flags;
  const options: RunOptions = {
    ...same,
    inputs,
    columns: { id: idColumn, user: userColumn, ip: ipColumn, value: valueColumn },
    memory: memory === undefined ? undefined : parseSize(memory, '--memory'),
    maxSpill: maxSpill === undefined ? undefined : parseSize(maxSpill, '--max-spill'),
  };

  const summary = await untilSignalled((signal) => run(options, { signal }));
  if (json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  else if (!quiet) process.stderr.write(formatSummary(summary));
  return EXIT_DONE;
}
