/** The table that the build leaves beside the code is the one that a run would make, or it is not used. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPrepared, writePrepared } from '../../lib/geo/prepared-table.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { temporaryFolder } from '../temporary.ts';
import { openLookup } from './sides.ts';

const BUILT = new URL('../../dist/lib/embedded.table', import.meta.url);
const HEADER_BYTES = 4096;

test('what is read is what was written, anywhere in memory, and its memory is given back', async (context) => {
  const path = join(temporaryFolder(context), 'table');
  const { table, side } = await openLookup('kernel', {});
  writePrepared(path, table, side.memory);
  const memory = new LinearMemory();
  const other = memory.slab(100_000, 'something else');
  const read = readPrepared(memory, path);
  assert.ok(read);
  const { ptr, close, ...told } = read;
  const { ptr: _, close: __, ...expected } = table;
  assert.deepEqual(told, expected);
  assert.ok(ptr > other);
  assert.ok(Buffer.from(memory.bytes(ptr, told.bytes)).equals(Buffer.from(side.memory.bytes(table.ptr, table.bytes))));
  close();
  close();
  assert.equal(memory.slabsInUse, 1);
});

test('the one of the build is the one that a run would make', async (context) => {
  const path = join(temporaryFolder(context), 'table');
  const { table, side } = await openLookup('twin', {});
  writePrepared(path, table, side.memory);
  assert.ok(readFileSync(BUILT).equals(readFileSync(path)));
});

test('none, a part of one, a damaged one and one of another database are not used', async (context) => {
  const path = join(temporaryFolder(context), 'table');
  const { table, side } = await openLookup('kernel', {});
  writePrepared(path, table, side.memory);
  const whole = readFileSync(path);
  const memory = new LinearMemory();
  const refused = (bytes: Uint8Array, what: string): void => {
    writeFileSync(path, bytes);
    assert.equal(readPrepared(memory, path), undefined, what);
    assert.equal(memory.slabsInUse, 0, what);
  };
  refused(whole.subarray(0, -1), 'the last byte is missing');
  refused(whole.subarray(0, HEADER_BYTES), 'only the header');
  refused(whole.subarray(0, 100), 'a part of the header');
  refused(whole.subarray(0, 0), 'an empty file');
  refused(Buffer.concat([whole, Buffer.alloc(1)]), 'a byte more');
  refused(Buffer.concat([Buffer.alloc(HEADER_BYTES), whole.subarray(HEADER_BYTES)]), 'no header');
  refused(Buffer.from(whole.toString('latin1').replace(/"version":"[^"]*"/, (text) => text.replace(/\d/g, '0')), 'latin1'), 'another database');
  assert.equal(readPrepared(memory, `${path}-none`), undefined);
});
