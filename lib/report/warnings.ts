/** What somebody who reads a report should know beforehand: sentences, each with what to do about it. */
import { number } from '../core/figures.ts';
import { UNKNOWN_REGION } from '../core/options.ts';
import type { ResultReport, RunReport } from './report.ts';

/** Addresses change hands. */
const OLD_AFTER_DAYS = 365;
/** Of the logs, without a region. */
const MANY_UNKNOWN = 0.1;
/** Of the rows, rejected. */
const MANY_REJECTED = 0.01;
/** Of all watch time, in one row of many. */
const LARGE_ROW = 0.1;
const MANY_ROWS = 1000;

export interface Warned {
  readonly summary: RunReport['summary'];
  readonly result: ResultReport;
  /** Reports of earlier runs that could not be kept. */
  readonly lost: number;
  readonly now: Date;
  /** The IP database is the one that comes with etl-stream. */
  readonly embedded: boolean;
  readonly byUser: boolean;
}

export function warningsOf({ summary, result, lost, now, embedded, byUser }: Warned): string[] {
  const { rows: { read, rejected, counted }, unknownRegion, geoDatabase } = summary;
  const warnings: string[] = [];
  const days = (now.getTime() - Date.parse(geoDatabase.buildDate)) / 864e5;
  if (days > OLD_AFTER_DAYS) {
    warnings.push(`The IP database is ${Math.floor(days)} days old (${geoDatabase.buildDate.slice(0, 10)}): ${embedded ? 'update etl-stream, or name' : 'name'} a newer one with --geo-db.`);
  }
  if (unknownRegion > counted * MANY_UNKNOWN) {
    warnings.push(`${percent(unknownRegion / counted)} of the logs counted have an address without a region and are in ${UNKNOWN_REGION}: is --ip-column the address of the viewer, and not that of a proxy?`);
  }
  if (rejected > read * MANY_REJECTED) {
    warnings.push(`${percent(rejected / read)} of the rows were rejected: see ${summary.rejectsFile}, mend it, and add it to the inputs.`);
  }
  const [top] = result.top;
  const share = top ? Number(top.total) / Number(result.total) : 0;
  if (result.rows >= MANY_ROWS && share > LARGE_ROW) {
    warnings.push(`One ${byUser ? 'user' : 'user in one region'} of ${number(result.rows)} has ${percent(share)} of all watch time: a test account, or a default value?`);
  }
  if (lost > 0) warnings.push(`${lost} ${lost === 1 ? 'report of an earlier run' : 'reports of earlier runs'} could not be read, and ${lost === 1 ? 'is' : 'are'} gone.`);
  return warnings;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
