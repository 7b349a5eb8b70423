/** How many rows a rejects file has, and that each of them is one. Memory: a line, which raw text bounds, and a piece of the file. */
import { createReadStream } from 'node:fs';
import type { RejectsFormat } from '../core/options.ts';
import type { RejectRecord } from '../core/rejects.ts';
import { wholeLines } from './rejects-csv.ts';

const [LF, QUOTE] = [10, 34];

/** Throws an Error that says what is wrong with it, and what the file system throws. */
export async function countRejects(path: string, format: RejectsFormat): Promise<number> {
  return format === 'jsonl' ? countLines(path) : countRecords(path);
}

async function countLines(path: string): Promise<number> {
  let rows = 0;
  let last = LF;
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
      last = piece.at(-1) ?? last;
      yield piece;
    }
  };
  for await (const lines of wholeLines(pieces())) {
    for (const line of lines) {
      rows++;
      if (!isReject(line)) throw new Error(`line ${rows} is no reject`);
    }
  }
  if (last !== LF) throw new Error(`line ${rows + 1} is cut off`);
  return rows;
}

function isReject(line: string): boolean {
  try {
    const { file, line: number, code } = JSON.parse(line) as Partial<RejectRecord>;
    return typeof file === 'string' && typeof number === 'number' && typeof code === 'string';
  } catch {
    return false;
  }
}

/** Of CSV as rejects-csv.ts writes it: line ends outside of quotes, without the header's. */
async function countRecords(path: string): Promise<number> {
  let [records, isQuoted, last] = [0, false, 0];
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
    for (const byte of piece) {
      if (byte === QUOTE) isQuoted = !isQuoted;
      else if (byte === LF && !isQuoted) records++;
    }
    last = piece.at(-1) ?? last;
  }
  if (isQuoted || last !== LF) throw new Error('its last record is cut off');
  return records - 1;
}
