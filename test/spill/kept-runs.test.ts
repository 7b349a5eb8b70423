import assert from 'node:assert/strict';
import { open, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { EtlError } from '../../lib/core/errors.ts';
import type { SortedRun } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import type { SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { KeptRuns, type KeptFileSystem, type KeptRun } from '../../lib/spill/kept-runs.ts';
import { PACK_BYTES_LEAST, READ_BYTES_LEAST } from '../../lib/spill/run-files.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { systemError } from './disk.ts';
import { randomRunRows } from './rows.ts';

const AREA = 1 << 20;

async function setUp(context: TestContext, fs?: KeptFileSystem) {
  const memory = new LinearMemory();
  const folder = temporaryFolder(context);
  const kernel = await loadKernel<SpillKernel>('spill', memory);
  const runs = new KeptRuns({ folder, memory, kernel, readBytes: READ_BYTES_LEAST, packBytes: PACK_BYTES_LEAST, ...(fs && { fs }) });
  const area = memory.slab(AREA, 'test area');
  const slabs = memory.slabsInUse;
  const read = async (run: SortedRun): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (let bytes; (bytes = await run.fill(area, AREA)) > 0; ) parts.push(Buffer.from(memory.bytes(area, bytes)));
    return Buffer.concat(parts);
  };
  /** Writes rows to a file; what is to be kept, once the writer has said so, and the run. */
  const write = async (file: string, rows: readonly Buffer[]): Promise<{ kept: KeptRun; run: SortedRun }> => {
    let kept: KeptRun | undefined;
    const writer = await runs.store(file, (told) => (kept = told)).create();
    try {
      for (const row of rows) {
        memory.bytes(area, row.length).set(row);
        await writer.write(area, row.length);
      }
      const run = await writer.finish(rows.length);
      return { kept: kept!, run };
    } catch (error) {
      await writer.discard();
      assert.equal(kept, undefined, 'nothing is kept of a run that failed');
      throw error;
    }
  };
  const assertNothingHeld = (): void => assert.equal(memory.slabsInUse, slabs, 'all slabs are given back');
  return { folder, runs, read, write, assertNothingHeld };
}

test('a run comes back as it was, from the writer and from its file, again and again', async (context) => {
  const { runs, read, write, assertNothingHeld } = await setUp(context);
  for (const seed of [1, 2, 3]) {
    const rows = randomRunRows(random(seed), seed === 2 ? 0 : 3000);
    const { kept, run } = await write(`run-${seed}`, rows);
    assert.deepEqual([kept.file, kept.rows], [`run-${seed}`, rows.length]);
    assert.ok((await read(run)).equals(Buffer.concat(rows)));
    await run.close();
    for (let time = 0; time < 2; time++) {
      const again = await runs.open(JSON.parse(JSON.stringify(kept)) as KeptRun);
      assert.equal(again.rows, rows.length);
      assert.ok((await read(again)).equals(Buffer.concat(rows)));
      await again.close();
    }
    await runs.remove(kept.file);
    await runs.remove(kept.file);
    await assert.rejects(runs.open(kept), { code: 'ETL_STATE_READ' });
  }
  assertNothingHeld();
});

test('what a killed process left under the name is no obstacle', async (context) => {
  const { folder, runs, read, write } = await setUp(context);
  await writeFile(join(folder, 'run'), Buffer.alloc(1 << 20, 7));
  const rows = randomRunRows(random(5), 100);
  const { kept, run } = await write('run', rows);
  await run.close();
  const again = await runs.open(kept);
  assert.ok((await read(again)).equals(Buffer.concat(rows)));
  await again.close();
});

test('a flipped bit or a cut file is found', async (context) => {
  const { folder, runs, read, write, assertNothingHeld } = await setUp(context);
  const { kept, run } = await write('run', randomRunRows(random(9), 40));
  await run.close();
  const path = join(folder, 'run');
  const whole = await readFile(path);
  const expectDamage = async (what: string): Promise<void> => {
    await assert.rejects(async () => {
      const damaged = await runs.open(kept);
      try {
        await read(damaged);
      } finally {
        await damaged.close();
      }
    }, { name: 'EtlError', code: 'ETL_STATE_DAMAGED' }, what);
  };
  const next = random(4);
  for (let at = 0; at < whole.length; at += Math.ceil(next() * 7)) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1 << Math.floor(next() * 8);
    await writeFile(path, flipped);
    await expectDamage(`byte ${at} flipped`);
    await writeFile(path, whole);
    await truncate(path, at);
    await expectDamage(`cut at ${at}`);
  }
  await writeFile(path, Buffer.concat([whole, Buffer.from([0])]));
  await expectDamage('one byte more');
  assertNothingHeld();
});

test('every call that fails is told, and nothing is held', async (context) => {
  for (const fault of ['open', 'write', 'sync', 'close', 'none'] as const) {
    let armed = true;
    const failing = (call: string): void => {
      if (armed && call === fault) throw systemError('ENOSPC');
    };
    const { runs, read, write, assertNothingHeld } = await setUp(context, {
      unlink,
      async open(path, flags) {
        failing('open');
        const handle = await open(path, flags);
        return {
          write: async (buffer: Uint8Array, offset: number, length: number, at: number) => {
            failing('write');
            return handle.write(buffer, offset, Math.min(length, 1000), at); // short writes are whole in the end
          },
          read: handle.read.bind(handle), stat: handle.stat.bind(handle),
          sync: async () => { failing('sync'); return handle.sync(); },
          close: async () => { await handle.close(); failing('close'); },
        } as Awaited<ReturnType<KeptFileSystem['open']>>;
      },
    });
    const rows = randomRunRows(random(11), 3000);
    const attempt = async (): Promise<KeptRun> => {
      const { kept, run } = await write('run', rows);
      await run.close();
      return kept;
    };
    if (fault === 'none') await attempt();
    else await assert.rejects(attempt(), (error) => error instanceof EtlError && error.code === 'ETL_STATE_WRITE' && /ENOSPC/.test(error.message), fault);
    armed = false;
    const again = await runs.open(await attempt());
    assert.ok((await read(again)).equals(Buffer.concat(rows)));
    await again.close();
    assertNothingHeld();
  }
});
