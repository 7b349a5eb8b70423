import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readlinkSync, truncateSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { RunFiles } from '../../lib/aggregate/run-files.ts';
import { EtlError } from '../../lib/core/errors.ts';
import { RUN_USER, RUN_USER_LEN } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { createAggregateTwin } from '../../lib/kernels/twins/aggregate.ts';
import { temporaryFolder } from '../temporary.ts';
import { readRun } from './rows.ts';

function row(length: number): Buffer {
  const bytes = Buffer.alloc(RUN_USER + length, 'u');
  bytes.fill(0, 0, RUN_USER).writeUInt32LE(length, RUN_USER_LEN);
  return bytes;
}

/** Path of the one open file that was in `folder`. */
function openFileIn(folder: string): string {
  const target = (path: string): string => (lstatSync(path, { throwIfNoEntry: false }) ? readlinkSync(path) : '');
  return readdirSync('/proc/self/fd').map((fd) => `/proc/self/fd/${fd}`).find((path) => target(path).startsWith(folder))!;
}

const isTempError = (message: RegExp) => (error: unknown) =>
  error instanceof EtlError && error.code === 'ETL_TEMP_WRITE' && message.test(error.message);

suite('run files', () => {
  function setUp(context: TestContext) {
    const memory = new LinearMemory();
    const folder = temporaryFolder(context);
    return { memory, folder, files: new RunFiles({ folder, memory, kernel: createAggregateTwin(memory) }) };
  }

  test('rows come back whole, whatever the buffer', async (context) => {
    const { memory, folder, files } = setUp(context);
    for (const capacity of [8224, 8225, 10000, 1 << 20]) {
      const writer = await files.create();
      for (let i = 0; i < 50; i++) await writer.write(Buffer.concat([row(i), row(8192 - i), row(0)]));
      const run = writer.finish(150);
      assert.equal(run.rows, 150);
      assert.deepEqual(readdirSync(folder), [], 'the file has no name while it is open');
      const totals = await readRun(memory, run, capacity);
      assert.deepEqual(totals.map(({ user }) => user.length), Array.from({ length: 50 }, (_, i) => [i, 8192 - i, 0]).flat());
      await run.close();
    }
  });

  test('an impossible row, a cut row and a closed file are errors', async (context) => {
    const { memory, files } = setUp(context);
    for (const bytes of [row(9000), row(100).subarray(0, 50)]) {
      const writer = await files.create();
      await writer.write(bytes);
      await assert.rejects(readRun(memory, writer.finish(1), 8224), isTempError(/damaged/));
      await writer.discard();
      await assert.rejects(writer.write(bytes), isTempError(/closed/));
    }
  });

  test('a file that was cut is an error', { skip: process.platform !== 'linux' }, async (context) => {
    const { memory, folder, files } = setUp(context);
    const writer = await files.create();
    await writer.write(row(100));
    truncateSync(openFileIn(folder), 60);
    const run = writer.finish(1);
    await assert.rejects(readRun(memory, run, 8224), isTempError(/ends at 60 of 132/));
    await run.close();
  });

  test('a folder that is missing is an error', async (context) => {
    const { memory, folder } = setUp(context);
    const files = new RunFiles({ folder: `${folder}/missing`, memory, kernel: createAggregateTwin(memory) });
    await assert.rejects(files.create(), isTempError(/Opening/));
  });
});
