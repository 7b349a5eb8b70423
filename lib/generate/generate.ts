/**
 * Synthetic activity logs, for demos, benchmarks and tests. The bytes depend on the shape (options.ts) alone: they are
 * the same on every machine. Memory is constant, under 30 MB besides the process itself.
 *
 * Duplicates are exact copies of good rows: in the first file, of rows at most some thousand back; from the second on,
 * three eighths of them are copies of rows of the file before, sampled evenly over that file.
 *
 * Existing logs are an error (ETL_OUTPUT_EXISTS) unless `overwrite` is set. That replaces files of the same names, and
 * still fails when the folder holds other `logs-NNNN.csv`, which would mix two data sets. Files get their names when all
 * are complete: on failure or abort nothing new is left and the earlier ones are as they were.
 */
import { open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EtlError, messageOf, withCleanupError } from '../core/errors.ts';
import { makeFolder } from '../core/make-folder.ts';
import { LogFile, SEGMENTS, SEGMENT_BYTES } from './log-file.ts';
import type { RowCounts } from './log-file.ts';
import { logShape } from './options.ts';
import type { GenerateOptions, LogShape } from './options.ts';

export { generateDefaults, lineEnds } from './options.ts';
export type { GenerateOptions, LineEnd, LogShape } from './options.ts';

export interface GeneratedLogs extends RowCounts {
  files: { path: string; bytes: number; rows: number }[];
}

/** Writes `logs-0001.csv` and on into a folder. Throws ETL_USAGE, ETL_OUTPUT_EXISTS, ETL_OUTPUT_WRITE, ETL_ABORTED. */
export async function generateLogs(options: GenerateOptions): Promise<GeneratedLogs> {
  const shape = logShape(options);
  const paths = Array.from({ length: shape.files }, (_, file) => join(options.folder, logName(file)));
  const begun: string[] = [];
  try {
    await prepareFolder(options.folder, shape.files, options.overwrite ?? false);
    return await writeFiles(shape, paths, begun, options);
  } catch (cause) {
    const error = cause instanceof EtlError ? cause
      : new EtlError('ETL_OUTPUT_WRITE', `Writing logs to ${options.folder} failed: ${messageOf(cause)}.`, { cause });
    try {
      for (const path of begun) await rm(path, { force: true });
    } catch (extra) {
      throw withCleanupError(error, extra);
    }
    throw error;
  }
}

async function writeFiles(shape: LogShape, paths: string[], begun: string[], options: GenerateOptions): Promise<GeneratedLogs> {
  const result: GeneratedLogs = { files: [], rows: 0, duplicates: 0, bad: 0, badAddresses: 0 };
  const ring = new Uint8Array(SEGMENTS * SEGMENT_BYTES);
  let written = 0;
  let last: LogFile | undefined;
  for (const [file, path] of paths.entries()) {
    const target = Math.floor(shape.size / shape.files) + (file < shape.size % shape.files ? 1 : 0);
    const log: LogFile = new LogFile(shape, file, target, ring, last?.sample);
    const part = partOf(path);
    const handle = await open(part, 'w');
    begun.push(part);
    try {
      await writeFile(handle, log, ring, (bytes) => {
        if (options.signal?.aborted) throw aborted(options.signal);
        options.onProgress?.(written + bytes, shape.size);
      });
    } finally {
      await handle.close();
    }
    written += log.bytes;
    result.files.push({ path, bytes: log.bytes, rows: log.counts.rows });
    result.rows += log.counts.rows;
    result.duplicates += log.counts.duplicates;
    result.bad += log.counts.bad;
    result.badAddresses += log.counts.badAddresses;
    last = log;
  }
  for (const path of paths) await rename(partOf(path), path);
  return result;
}

/** What a log is called while it is written. */
function partOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.part`);
}

/** Fills the next segment while the one before is written; never more than one write is under way. */
async function writeFile(handle: FileHandle, log: LogFile, ring: Uint8Array, onSegment: (bytes: number) => void): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  try {
    for (let segment = 0; !log.done; segment = (segment + 1) % SEGMENTS) {
      const end = log.fill(segment);
      await writing;
      onSegment(log.bytes);
      writing = writeAll(handle, ring.subarray(segment * SEGMENT_BYTES, end));
      writing.catch(() => {}); // thrown where it is awaited
    }
  } finally {
    await writing;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
}

/** Creates the folder; throws ETL_OUTPUT_EXISTS when its logs would be replaced unasked or mixed with the new ones. */
async function prepareFolder(folder: string, files: number, overwrite: boolean): Promise<void> {
  makeFolder(folder);
  const names = new Set(Array.from({ length: files }, (_, file) => logName(file)));
  const logs = (await readdir(folder)).filter((name) => /^logs-\d{4}\.csv$/.test(name)).sort();
  const found = logs.find((name) => !overwrite || !names.has(name));
  if (found === undefined) return;
  throw new EtlError('ETL_OUTPUT_EXISTS', `${join(folder, found)} exists already.`, {
    hint: names.has(found)
      ? 'Choose another folder, or overwrite.'
      : 'It would be mixed with the new logs, which do not replace it: choose another folder, or remove it.',
  });
}

function logName(file: number): string {
  return `logs-${String(file + 1).padStart(4, '0')}.csv`;
}

function aborted(signal: AbortSignal): EtlError {
  return new EtlError('ETL_ABORTED', 'Generating logs was stopped; the files begun are removed.', { cause: signal.reason });
}

