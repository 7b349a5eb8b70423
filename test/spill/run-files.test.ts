import assert from 'node:assert/strict';
import { ftruncateSync, readdirSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { EtlError } from '../../lib/core/errors.ts';
import type { SortedRun } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { RUN_BLOCK_BYTES } from '../../lib/kernels/spill-layout.ts';
import { createSpillTwin, type SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { PACK_BYTES_LEAST, READ_BYTES_LEAST, RunFiles, type HandedFile, type RunFilesOptions, type RunWriter } from '../../lib/spill/run-files.ts';
import { SpillSpace } from '../../lib/spill/spill-space.ts';
import { random } from '../random.ts';
import { spillSpace, systemError, type Faults } from './disk.ts';
import { randomRunRows, runRow } from './rows.ts';

const AREA = 1 << 20;
const makers: Record<string, (memory: LinearMemory) => Promise<SpillKernel>> = {
  wasm: (memory) => loadKernel<SpillKernel>('spill', memory),
  twin: async (memory) => createSpillTwin(memory),
};
const fails = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof EtlError && error.code === code && message.test(error.message);

for (const [name, make] of Object.entries(makers)) {
  suite(`run files, ${name}`, () => {
    async function setUp(context: TestContext, options: Partial<RunFilesOptions> = {}, faults: Faults = {}, maxBytes?: number) {
      const memory = new LinearMemory();
      const disk = spillSpace(context, faults, maxBytes);
      const files = new RunFiles({ spill: disk.spill, memory, kernel: await make(memory), ...options });
      const area = memory.slab(AREA, 'test area');
      const slabs = memory.slabsInUse;
      /** Writes rows in pieces of whole rows. */
      const write = async (writer: RunWriter, rows: readonly Buffer[], most = AREA): Promise<void> => {
        for (let from = 0; from < rows.length; ) {
          let bytes = 0;
          for (; from < rows.length && bytes + rows[from]!.length <= most; bytes += rows[from++]!.length) memory.bytes(area + bytes, rows[from]!.length).set(rows[from]!);
          await writer.write(area, bytes);
          memory.bytes(area, bytes).fill(0xee); // it was the caller's again
        }
      };
      const read = async (run: SortedRun, capacity: () => number): Promise<Buffer> => {
        const parts: Buffer[] = [];
        for (let bytes; (bytes = await run.fill(area, capacity())) > 0; ) parts.push(Buffer.from(memory.bytes(area, bytes)));
        return Buffer.concat(parts);
      };
      const assertNothingHeld = (): void => {
        assert.equal(memory.slabsInUse, slabs, 'all slabs are given back');
        assert.equal(disk.spill.bytes, 0);
        assert.deepEqual(readdirSync(disk.folder), []);
      };
      return { memory, files, area, write, read, assertNothingHeld, ...disk };
    }

    for (const seed of [1, 2, 3]) {
      test(`rows come back whole, whatever the areas and disk calls, seed ${seed}`, async (context) => {
        const next = random(seed);
        const some = (bytes: number): number => Math.ceil(next() * bytes);
        const { files, write, read, assertNothingHeld, spill, counters } = await setUp(context, {
          packBytes: [PACK_BYTES_LEAST, 32 << 10, 256 << 10][seed % 3]!, readBytes: [READ_BYTES_LEAST, READ_BYTES_LEAST + 1, 32 << 10][seed % 3]!,
        }, { write: some, read: some });
        const rows = randomRunRows(next, name === 'wasm' ? 600_000 : 50_000);
        const writer = await files.create();
        await write(writer, rows, 8224 + Math.floor(next() * 60_000));
        const run = await writer.finish(rows.length);
        assert.equal(run.rows, rows.length);
        assert.equal(spill.bytes, counters.spilledBytes);
        const all = await read(run, () => RUN_BLOCK_BYTES + Math.floor(next() ** 5 * 100_000));
        assert.ok(all.equals(Buffer.concat(rows)), `seed ${seed}`);
        assert.equal(await run.fill(1 << 16, 9000), 0, 'and again the end');
        await run.close();
        await run.close();
        assertNothingHeld();
      });
    }

    test('several runs at once, each through its own small areas', async (context) => {
      const { files, memory, write, read, assertNothingHeld } = await setUp(context, { readBytes: READ_BYTES_LEAST });
      const bytes = PACK_BYTES_LEAST;
      const own = memory.slab(bytes, 'packing area of the caller');
      const rows = Array.from({ length: 5 }, (_, i) => randomRunRows(random(i + 10), 20_000));
      const runs: SortedRun[] = [];
      for (const part of rows) {
        const writer = await files.create({ at: own, bytes });
        await write(writer, part);
        runs.push(await writer.finish(part.length));
      }
      memory.giveSlab(own, bytes);
      for (const [i, run] of runs.entries()) assert.ok((await read(run, () => RUN_BLOCK_BYTES)).equals(Buffer.concat(rows[i]!)));
      await Promise.all(runs.map((run) => run.close()));
      assertNothingHeld();
    });

    test('a run that was handed over is read by its descriptor, told when it is closed, and found out when it is damaged', async (context) => {
      const { files, memory, write, read, spill, counters, assertNothingHeld } = await setUp(context, { readBytes: READ_BYTES_LEAST });
      const other = new RunFiles({ spill: new SpillSpace({ folder: '/nowhere', counters }), memory, kernel: await make(memory) });
      const rows = Array.from({ length: 3 }, (_, i) => randomRunRows(random(i + 50), 30_000));
      const written: { run: SortedRun; file: HandedFile }[] = [];
      for (const part of rows) {
        const writer = await files.create();
        await write(writer, part);
        written.push({ run: await writer.finish(part.length), file: structuredClone(writer.handOver()) });
      }
      const [, second, third] = written;
      assert.ok(second!.file.start > 0 && second!.file.fd === third!.file.fd, 'they share a file');
      const closed: number[] = [];
      for (const [i, { run, file }] of written.entries()) {
        const close = async (): Promise<void> => {
          closed.push(i);
          await run.close();
        };
        const borrowed = other.open(file, rows[i]!.length, close);
        if (i === 2) ftruncateSync(file.fd, file.start + file.size - 1);
        const reading = read(borrowed, () => 20_000);
        if (i === 2) await assert.rejects(reading, fails('ETL_TEMP_DAMAGED', /damaged at byte \d+/));
        else assert.ok((await reading).equals(Buffer.concat(rows[i]!)));
        assert.ok(spill.bytes > 0);
        await borrowed.close();
        await borrowed.close();
      }
      assert.deepEqual(closed, [0, 1, 2]);
      assertNothingHeld();
    });

    test('an empty run, and one that is given up unread', async (context) => {
      const { files, area, write, assertNothingHeld } = await setUp(context);
      const empty = await (await files.create()).finish(0);
      assert.equal(await empty.fill(area, 9000), 0);
      await empty.close();
      const writer = await files.create();
      await write(writer, [runRow(1, Buffer.from('u'), 1n, 1n)]);
      await (await writer.finish(1)).close();
      assertNothingHeld();
    });

    test('a run that is closed while it is being filled gives its memory back after that', async (context) => {
      const { files, area, write, assertNothingHeld } = await setUp(context);
      const writer = await files.create();
      await write(writer, [runRow(1, Buffer.from('u'), 1n, 1n)]);
      const run = await writer.finish(1);
      const filling = run.fill(area, 9000);
      const closing = run.close();
      assert.equal(await filling, 33);
      await closing;
      assert.throws(() => run.fill(area, 9000), fails('ETL_INTERNAL', /closed/));
      assertNothingHeld();
    });

    const rows = randomRunRows(random(99), 30_000);
    const damages: [string, NonNullable<Faults['damage']>][] = [
      ['in a header', (bytes, position) => { if (position === 0) bytes[9]! ^= 4; }],
      ['in a row', (bytes, position) => { if (position === 0) bytes[500]! ^= 1; }],
      ['that is all zeros', (bytes) => void bytes.fill(0)],
      ['in the last byte', (bytes, position) => { if (position > 0 || bytes.length < 15_000) bytes[bytes.length - 1]! ^= 128; }],
    ];
    for (const [where, damage] of damages) {
      test(`damage ${where} is noticed, with its place`, async (context) => {
        const { files, write, read, assertNothingHeld } = await setUp(context, { readBytes: 16 << 10 }, { damage });
        const writer = await files.create();
        await write(writer, rows);
        const run = await writer.finish(rows.length);
        await assert.rejects(read(run, () => 20_000), fails('ETL_TEMP_DAMAGED', /damaged at byte \d+/));
        await run.close();
        assertNothingHeld();
      });
    }

    test('a block of another run in the place of this one’s is noticed', async (context) => {
      let kept: Uint8Array | undefined;
      const { files, write, read, assertNothingHeld } = await setUp(context, {}, {
        damage: (bytes) => { kept ? bytes.set(kept) : (kept = bytes.slice()); },
      });
      const two: SortedRun[] = [];
      for (let i = 0; i < 2; i++) {
        const writer = await files.create();
        await write(writer, rows);
        two.push(await writer.finish(rows.length));
      }
      assert.ok((await read(two[0]!, () => 20_000)).equals(Buffer.concat(rows)));
      await assert.rejects(read(two[1]!, () => 20_000), fails('ETL_TEMP_DAMAGED', /damaged at byte [1-9]/));
      await Promise.all(two.map((run) => run.close()));
      assertNothingHeld();
    });

    test('a disk that fails at any write: the error comes out, once discarded nothing is held', async (context) => {
      let writes = 0;
      for (let failing = 1; failing <= 4; failing++) {
        writes = 0;
        const fault = { write: (bytes: number) => { if (++writes === failing) throw systemError('ENOSPC'); return bytes; } };
        const { files, write, assertNothingHeld } = await setUp(context, { packBytes: PACK_BYTES_LEAST }, fault);
        const writer = await files.create();
        await assert.rejects(async () => {
          await write(writer, rows, 9000);
          await writer.finish(rows.length);
        }, fails('ETL_TEMP_WRITE', /ENOSPC/));
        await writer.discard();
        await writer.discard();
        assertNothingHeld();
      }
      assert.equal(writes, 4, 'the last one failed in finish');
    });

    test('the quota, a disk that opens nothing, and memory that is short', async (context) => {
      const quota = await setUp(context, { packBytes: PACK_BYTES_LEAST }, {}, 5000);
      const writer = await quota.files.create();
      await assert.rejects(quota.write(writer, rows).then(() => writer.finish(1)), fails('ETL_MAX_SPILL', /5 KB/));
      await writer.discard();
      quota.assertNothingHeld();

      const closed = await setUp(context, {}, { open: () => { throw systemError('EACCES'); } });
      await assert.rejects(closed.files.create(), fails('ETL_TEMP_WRITE', /Opening .*EACCES/));
      closed.assertNothingHeld();

      const short = await setUp(context, { packBytes: 2 ** 32 });
      await assert.rejects(short.files.create(), fails('ETL_MEMORY', /packing a run/));
      short.assertNothingHeld();
    });

    test('rows that are not whole, areas that are too small and writes after the end are bugs', async (context) => {
      const { files, memory, area, spill, write, assertNothingHeld } = await setUp(context);
      const row = runRow(1, Buffer.from('user'), 1n, 1n);
      const writer = await files.create();
      await assert.rejects(write(writer, [row.subarray(0, -1)]), fails('ETL_INTERNAL', /no whole row/));
      await assert.rejects(writer.write(memory.size, 100), fails('ETL_INTERNAL', /not inside/));
      await writer.discard();
      await assert.rejects(writer.write(area, 36), fails('ETL_INTERNAL', /complete/));
      await assert.rejects(files.create({ at: area, bytes: PACK_BYTES_LEAST - 1 }), fails('ETL_INTERNAL', /packed/));
      assert.throws(() => new RunFiles({ spill, memory, kernel: createSpillTwin(memory), readBytes: READ_BYTES_LEAST - 1 }), fails('ETL_INTERNAL', /read through/));
      const run = await (await files.create()).finish(0);
      assert.throws(() => run.fill(area, RUN_BLOCK_BYTES - 1), fails('ETL_INTERNAL', /cannot hold/));
      await run.close();
      assertNothingHeld();
    });
  });
}
