/** Every call to the disk fails once: a typed error, and nothing stays open. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, test, type TestContext } from 'node:test';
import { EtlError } from '../../lib/core/errors.ts';
import { createParquetStage, type ParquetStageOptions } from '../../lib/parquet/stage.ts';
import { temporaryFolder } from '../temporary.ts';
import { randomRows, resultBatch } from './batches.ts';
import { stageOptions, writeDataset, type WriteOptions } from './dataset.ts';
import { disk, openFilesUnder } from './failing-disk.ts';
import { assertSameLines, duckdbLines, linesOf } from './readers.ts';

const groups = [randomRows(1, 50, 'AT'), randomRows(2, 40, 'AT'), randomRows(3, 5, 'DE')];
const run = (context: TestContext, options: WriteOptions): ReturnType<typeof writeDataset> =>
  writeDataset(context, groups, { partBytes: 1, durable: true, ...options });

describe('failing disk', () => {
  test('each call that fails is ETL_OUTPUT_WRITE with path and cause, and closes every file', async (context) => {
    const good = disk();
    await run(context, { fs: good });
    assert.deepEqual([...new Set(good.calls)].sort(), ['close', 'mkdir', 'open', 'sync', 'write']);
    assert.equal(good.open_, 0);
    for (let failing = 0; failing < good.calls.length; failing++) {
      const cause = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      const bad = disk((_, n) => {
        if (n === failing) throw cause;
      });
      const folder = temporaryFolder(context);
      await assert.rejects(run(context, { fs: bad, folder }), (error: unknown) => {
        assert.ok(error instanceof EtlError, `call ${failing}: ${String(error)}`);
        assert.equal(error.code, 'ETL_OUTPUT_WRITE');
        assert.ok(error.message.includes(`${folder}/geo_region=`) && error.message.includes(cause.message), error.message);
        assert.equal(error.cause, cause);
        assert.match(error.hint ?? '', /space/);
        return true;
      });
      assert.equal(bad.open_, 0, `call ${failing} (${good.calls[failing]})`);
      if (process.platform === 'linux') assert.deepEqual(openFilesUnder(folder), []);
    }
  });

  test('a close that fails after another failure is added to it, not lost', async (context) => {
    const bad = disk((call) => {
      if (call === 'write' || call === 'close') throw new Error(`bad ${call}`);
    });
    await assert.rejects(run(context, { fs: bad }), (error: unknown) => {
      assert.ok(error instanceof EtlError);
      const all = [error, ...error.suppressed] as EtlError[];
      assert.deepEqual(all.map(({ cause }) => (cause as Error).message), ['bad write', 'bad close']);
      return true;
    });
    assert.equal(bad.open_, 0);
  });

  test('short writes are continued', async (context) => {
    const dribbling = disk(undefined, 97);
    const dataset = await run(context, { fs: dribbling });
    assert.ok(dribbling.calls.filter((call) => call === 'write').length > 20);
    assertSameLines(await duckdbLines(dataset), linesOf(groups.flat()));
  });
});

describe('destroyed', () => {
  for (const held of ['mkdir', 'open', 'write', 'sync', 'close']) {
    test(`while ${held} is under way: waits for it, then closes`, async (context) => {
      let reached = (): void => undefined;
      let go = (): void => undefined;
      const atCall = new Promise<void>((resolve) => (reached = resolve));
      const gate = new Promise<void>((resolve) => (go = resolve));
      const slow = disk((call) => (call === held ? (reached(), gate) : undefined));
      const options: ParquetStageOptions = { ...stageOptions(temporaryFolder(context), { fs: slow, durable: true }) };
      const stage = createParquetStage(options);
      const stop = new AbortController();
      const done = pipeline(Readable.from(groups.map((rows) => resultBatch(rows))), stage, { signal: stop.signal });
      await atCall;
      stop.abort();
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(stage.destroyed && !stage.closed, 'it waits');
      go();
      await assert.rejects(done, { name: 'AbortError' });
      if (!stage.closed) await new Promise((resolve) => stage.once('close', resolve));
      assert.equal(slow.open_, 0);
      if (process.platform === 'linux') assert.deepEqual(openFilesUnder(options.folder), []);
    });
  }

  test('before anything was written', async (context) => {
    const watched = disk();
    const stage = createParquetStage(stageOptions(temporaryFolder(context), { fs: watched }));
    stage.destroy();
    await new Promise((resolve) => stage.once('close', resolve));
    assert.deepEqual(watched.calls, []);
  });
});
