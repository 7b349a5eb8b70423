/** What expands to a thousand or a million times its size stays inside --memory, a small one, in the built program. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { createGzip } from 'node:zlib';
import type { Summary } from '../../lib/index.ts';
import { etlStream } from '../cli/program.ts';
import { temporaryFolder } from '../temporary.ts';

/** Before it begins, Node 20 has 58 MB, Node 24 from 61 to 67 on different machines. */
const LIMIT = Number(process.versions.node.split('.')[0]) < 24 ? 128e6 : 150e6;
const ZEROS = 1e9;
const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

/** A Zstandard frame by hand: blocks of 128 KiB of one byte take four bytes each (RFC 8878, 3.1.1.2). */
function zstdBomb(): Buffer {
  const block = 128 << 10;
  const blocks = Math.ceil(ZEROS / block);
  const frame = Buffer.alloc(6 + 3 + HEADER.length + 4 * blocks);
  const header = (at: number, last: boolean, type: number, size: number): number => frame.writeUIntLE(size << 3 | type << 1 | Number(last), at, 3);
  let at = frame.writeUInt32LE(0xfd2fb528);
  at = frame.writeUInt8(0, at); // no checksum, no sizes
  at = frame.writeUInt8(7 << 3, at); // a window of 128 KiB
  at = header(at, false, 0, HEADER.length);
  at += frame.write(HEADER, at);
  for (let number = 1; number <= blocks; number++) at = header(at, number === blocks, 1, block) + 1;
  return frame;
}

async function gzipBomb(): Promise<Buffer> {
  const zeros = Buffer.alloc(1 << 20);
  const pieces = function* (): Generator<Buffer> {
    yield Buffer.from(HEADER);
    for (let left = ZEROS; left > 0; left -= zeros.length) yield zeros.subarray(0, Math.min(left, zeros.length));
  };
  return buffer(Readable.from(pieces()).pipe(createGzip({ level: 1 })));
}

for (const [format, bomb] of Object.entries({ gzip: gzipBomb, zstd: zstdBomb })) {
  test(`1 GB of zeros in ${format}, from a file and by standard input`, async (t) => {
    const folder = temporaryFolder(t);
    const bytes = await bomb();
    writeFileSync(join(folder, 'bomb.csv'), bytes);
    assert.ok(bytes.length < ZEROS / 200, `${bytes.length} bytes`);
    for (const input of ['bomb.csv', '-']) {
      const { code, stdout, stderr } = await etlStream(
        [input, '--no-state', '--overwrite', '--memory', `${LIMIT / 1e6}MB`, '--max-rejects', '100%', '-o', 'out', '--json'], folder, input === '-' ? bytes : '',
      );
      assert.equal(code, 0, stderr);
      const { bytes: read, rows, memory } = JSON.parse(stdout) as Summary;
      assert.ok(read >= ZEROS && rows.read === rows.rejected, stdout);
      assert.ok(memory.peakRss <= LIMIT, `${input}: peak RSS ${memory.peakRss / 1e6} MB`);
    }
    assert.deepEqual(readdirSync(folder).sort(), ['bomb.csv', 'out']);
  });
}
