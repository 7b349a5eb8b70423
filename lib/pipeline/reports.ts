/** The report of a run goes into the dataset that it makes, and is read there. */
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import { keepReports, MOST_REPORT_BYTES, reportsIn, writeReport } from '../dataset/reports.ts';
import { linkedVersion } from '../dataset/versions.ts';
import { pageOf } from '../report/page-text.ts';
import type { RunReport } from '../report/report.ts';
import { jsonWithin } from '../report/shortened.ts';

/** Reports in a dataset. */
export interface Reports {
  /** The newest last. */
  readonly reports: readonly RunReport[];
  /** Files that should be some, and what is wrong with them. */
  readonly damaged: readonly { readonly file: string; readonly problem: string }[];
}

/** Writes a run's report into the staging folder. Throws ETL_OUTPUT_WRITE. */
export async function addReport(folder: string, report: RunReport, options: { readonly durable: boolean }): Promise<void> {
  const page = await pageOf(report).catch((cause: unknown) => {
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot make the page of the report: ${messageOf(cause)}.`, { cause, hint: 'Run without it by --no-report.' });
  });
  await writeReport(folder, { run: report.run, json: jsonWithin(report, MOST_REPORT_BYTES), page, ...options });
}

/**
 * Gives the staging folder the reports of earlier runs, where the dataset is one that is continued: with a state, unless it is made
 * anew. Gives how many it could not. Throws ETL_OUTPUT_WRITE.
 */
export async function keepEarlierReports({ output, state, overwrite }: JobOptions, folder: string): Promise<number> {
  if (state === undefined || overwrite) return 0;
  const published = await linkedVersion(resolve(output));
  return published === undefined ? 0 : keepReports(published, folder);
}

/** Those of the dataset at `output`; none when there is no dataset. */
export async function readReports(output: string): Promise<Reports> {
  const { parseReport } = await import('../report/schema.ts');
  const reports: RunReport[] = [];
  const damaged: { file: string; problem: string }[] = [];
  for (const path of await reportsIn(await linkedVersion(resolve(output)) ?? resolve(output))) {
    try {
      reports.push(parseReport(await readFile(path, 'utf8')));
    } catch (error) {
      damaged.push({ file: basename(path), problem: messageOf(error) });
    }
  }
  return { reports, damaged };
}
