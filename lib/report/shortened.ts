/** A report that lists less: its lists say themselves how much there is. */
import type { Listed, RunReport } from './report.ts';

export interface Most {
  readonly inputs: number;
  readonly files: number;
  readonly regions: number;
}

export function shortened({ inputs, files, result, ...report }: RunReport, most: Most): RunReport {
  return { ...report, inputs: first(inputs, most.inputs), files: first(files, most.files), result: { ...result, regions: first(result.regions, most.regions) } };
}

/** As JSON of at most `bytes`: names can be long. */
export function jsonWithin(report: RunReport, bytes: number): string {
  for (let most = Math.max(report.inputs.listed.length, report.files.listed.length, report.result.regions.listed.length); ; most >>= 1) {
    const json = `${JSON.stringify(shortened(report, { inputs: most, files: most, regions: most }))}\n`;
    if (most === 0 || Buffer.byteLength(json) <= bytes) return json;
  }
}

function first<T>({ count, listed }: Listed<T>, most: number): Listed<T> {
  return { count, listed: listed.slice(0, most) };
}
