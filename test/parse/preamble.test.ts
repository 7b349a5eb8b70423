/** What stands before the CSV: a mark, lines that are skipped; in every cut, and the same for all readers of records. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCsv } from '../../lib/parse/records.ts';
import { Preamble } from '../../lib/parse/preamble.ts';

const MARK = '\xef\xbb\xbf';
const TEXTS = ['', 'a', MARK, MARK.slice(0, 2), `${MARK}${MARK}a`, `\xef\xbba\nb`, `${MARK}x\r\ny\r\rz\n\n,w`, `x\n${MARK}y,z\n`, `${MARK}x"\r`, '\r\n\r\n\n\r'];

/** By the whole text. */
function model(text: string, lines: number): { rest: string; lines: number } {
  let rest = text.startsWith(MARK) ? text.slice(3) : text;
  let skipped = 0;
  for (let end; skipped < lines && (end = /\r\n|\n|\r/.exec(rest)); skipped++) rest = rest.slice(end.index + end[0].length);
  return { rest: skipped < lines ? '' : rest, lines: skipped };
}

test('in pieces of every size as in one', () => {
  for (const text of TEXTS) {
    for (const lines of [0, 1, 2, 5]) {
      for (let size = 1; size <= text.length + 1; size++) {
        const preamble = new Preamble(lines);
        const bytes = Buffer.from(text, 'latin1');
        let rest = '';
        for (let at = 0; at < bytes.length; at += size) rest += Buffer.from(preamble.rest(bytes.subarray(at, at + size))).toString('latin1');
        rest += Buffer.from(preamble.rest(Buffer.alloc(0), true)).toString('latin1');
        const expected = model(text, lines);
        assert.deepEqual([rest, preamble.skipped], [expected.rest, { lines: expected.lines, bytes: bytes.length - rest.length }], JSON.stringify({ text, lines, size }));
      }
    }
  }
});

test('records, and where they are, by the kernel and by csv-parse', async () => {
  for (const text of TEXTS) {
    for (const skipLines of [0, 1, 2]) {
      const bytes = Buffer.from(text, 'latin1');
      const [kernel, general] = await Promise.all([{}, { comment: '#' }].map(async (dialect) => {
        const found: unknown[] = [];
        const pieces = async function* (): AsyncGenerator<Uint8Array> {
          for (const byte of bytes) yield Uint8Array.of(byte);
        };
        for await (const batch of parseCsv(pieces(), { ...dialect, skipLines })) {
          for (const { fields, line, byte } of batch) found.push([fields, line, byte]);
        }
        return found;
      }));
      assert.deepEqual(kernel, general, JSON.stringify({ text, skipLines }));
    }
  }
});
