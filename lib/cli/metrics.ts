/**
 * `--metrics-file`: what the last run did, in the text format of Prometheus, for the textfile collector of node_exporter. The file is
 * replaced in one step, after success and after failure; what was known of the last success stays in it.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EtlError, messageOf, withCleanupError } from '../core/errors.ts';
import { isUrl } from '../core/options.ts';
import type { Summary } from '../index.ts';

const LAST_SUCCESS = 'etl_stream_last_success_timestamp_seconds';

/**
 * Does the work and writes what came of it. Throws what the work throws; ETL_USAGE before it when the file cannot stand where it should;
 * ETL_OUTPUT_WRITE when it cannot be written.
 */
export async function withMetrics(path: string, output: string, work: () => Promise<Summary>): Promise<Summary> {
  if (!existsSync(dirname(resolve(path)))) throw new EtlError('ETL_USAGE', `--metrics-file ${path} stands in a folder that does not exist.`);
  const began = Date.now();
  let summary: Summary | undefined;
  try {
    summary = await work();
  } catch (error) {
    throw await write(path, output, undefined, began).then(() => error, (extra: unknown) => withCleanupError(error, extra));
  }
  await write(path, output, summary, began);
  return summary;
}

async function write(path: string, output: string, summary: Summary | undefined, began: number): Promise<void> {
  const text = await metricsText(summary, { output: isUrl(output) ? output : resolve(output), seconds: (Date.now() - began) / 1000, now: Date.now() / 1000, lastSuccess: lastSuccess(path) });
  const next = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`); // the collector reads *.prom only
  try {
    await writeFile(next, text, { flag: 'wx', mode: 0o644 });
    await rename(next, path);
  } catch (cause) {
    await rm(next, { force: true }).catch(() => undefined);
    const hint = summary === undefined ? 'The run had failed already.' : 'The run is done, and its output is published.';
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write the metrics to ${path}: ${messageOf(cause)}.`, { cause, hint });
  }
}

/** Of the run before, whatever became of it. */
function lastSuccess(path: string): number | undefined {
  try {
    const value = new RegExp(`^${LAST_SUCCESS}(?:\\{.*\\})? (\\d+(?:\\.\\d+)?)$`, 'm').exec(readFileSync(path, 'utf8'))?.[1];
    return value === undefined ? undefined : Number(value);
  } catch {
    return undefined; // there is none
  }
}

export interface MetricsContext {
  /** Absolute, or a URL: the label that tells several jobs of a machine apart. */
  readonly output: string;
  /** That the run took. */
  readonly seconds: number;
  /** Seconds since 1970: now, and the last success that is known. */
  readonly now: number;
  readonly lastSuccess: number | undefined;
}

/** `summary` undefined: the run failed. */
export async function metricsText(summary: Summary | undefined, { output, seconds, now, lastSuccess }: MetricsContext): Promise<string> {
  const { Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  registry.setDefaultLabels({ output });
  const tell = (name: string, help: string, value: number): void => void new Gauge({ name: `etl_stream_${name}`, help, registers: [registry] }).set(value);
  const tellBy = (name: string, help: string, label: string, values: Readonly<Record<string, number>>): void => {
    const gauge = new Gauge({ name: `etl_stream_${name}`, help, labelNames: [label], registers: [registry] });
    for (const [of, value] of Object.entries(values)) gauge.set({ [label]: of }, value);
  };

  tell('last_run_timestamp_seconds', 'When the last run ended.', now);
  tell('last_run_success', 'Whether the last run was done: 1, or failed: 0.', summary ? 1 : 0);
  tell('last_run_duration_seconds', 'What the last run took.', seconds);
  const success = summary ? now : lastSuccess;
  if (success !== undefined) tell(LAST_SUCCESS.replace('etl_stream_', ''), 'When the last run that was done ended.', success);
  if (!summary) return registry.metrics();

  const { rows, rejectedBy, phases, memory, spill, state, version } = summary;
  tellBy('build_info', 'Always 1; the version is a label.', 'version', { [version]: 1 });
  tell('last_run_inputs', 'Inputs that were read.', summary.inputs);
  tell('last_run_input_bytes', 'Bytes of text that they had, decompressed.', summary.bytes);
  tell('last_run_read_rows', 'Rows read: counted, duplicate and rejected ones.', rows.read);
  tellBy('last_run_rows', 'Rows by what became of them.', 'outcome', { counted: rows.counted, duplicate: rows.duplicates, rejected: rows.rejected });
  tellBy('last_run_rejected_rows', 'Rejected rows by reason.', 'reason', rejectedBy);
  tell('last_run_unknown_region_rows', 'Counted rows whose address gave no region.', summary.unknownRegion);
  tellBy('last_run_phase_duration_seconds', 'What each phase took.', 'phase', phases);
  tell('last_run_memory_peak_bytes', 'Most memory that the process had resident.', memory.peakRss);
  tell('last_run_memory_limit_bytes', 'Most that it was allowed to have.', memory.limit);
  tell('last_run_spilled_bytes', 'Bytes that went to temporary files.', spill.bytes);
  if (!state?.isUnchanged) {
    tell('output_rows', 'Rows of the result.', summary.groups);
    tell('output_files', 'Its Parquet files.', summary.files);
    tell('output_size_bytes', 'Their size.', summary.outputBytes);
  }
  if (state) {
    tell('state_commits', 'Commits of the state.', state.commit);
    tell('state_logs', 'Logs counted by all of them.', state.logs);
  }
  return registry.metrics();
}
