/** `--log-format json`: messages as lines of JSON, by pino. */
import pino from 'pino';
import type { Log } from './messages.ts';
import { printableJsonLine } from './printable.ts';

/** Writes lines to `write`: `level` (a word), `time` (ISO 8601), `msg`, and what belongs to it. */
export function jsonLog(write: (line: string) => void): Log {
  const logger = pino(
    { base: { name: 'etl-stream', pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
    { write: (line) => write(printableJsonLine(line)) },
  );
  return {
    info: (text, data = {}) => logger.info(data, text),
    warn: (text, data = {}) => logger.warn(data, text),
    error: (text, data = {}) => logger.error(data, text),
  };
}
