/** Several readers of the same files in turns: together they give the blocks of one `BlockSource`, and fail as it does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  appendFileSync, fstatSync, mkdirSync, readSync, renameSync, rmSync, truncateSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { newCounters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import type { Block } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { BlockSource } from '../../lib/source/blocks.ts';
import { listInputs, type InputFile } from '../../lib/source/inputs.ts';
import { OpenInput } from '../../lib/source/open-input.ts';
import { ReadTurns } from '../../lib/source/read-turns.ts';
import type { ReadSync } from '../../lib/source/reader.ts';
import { readInTurns } from '../../lib/source/turn-source.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';

/** A block, where it came from and what was in it. */
interface Seen {
  readonly place: Omit<Block, 'release' | 'ptr' | 'headroom'>;
  readonly bytes: Buffer;
}

interface Result {
  /** In the order of their numbers. */
  readonly blocks: readonly Seen[];
  /** What each reader failed with. */
  readonly errors: readonly unknown[];
  /** How many blocks each had. */
  readonly shares: readonly number[];
  readonly counted: number;
}

interface Options {
  readonly blockBytes: number;
  readonly readers?: number;
  readonly readSync?: ReadSync;
  /** Random numbers, for how long a block is kept. */
  readonly next?: () => number;
  /** Called with the number of blocks seen, after each. */
  readonly seen?: (count: number, turns: ReadTurns) => void;
}

/** Readers on one event loop; throws when one of them leaves anything behind. */
async function readAll(inputs: readonly InputFile[], { blockBytes, readers = 1, readSync, next = () => 0, seen }: Options): Promise<Result> {
  const memory = new LinearMemory();
  const turns = ReadTurns.create(memory);
  const files = new OpenInput(inputs);
  const blocks: Seen[] = [];
  const errors: unknown[] = [];
  const shares: number[] = [];
  const counters = newCounters();
  let fd = -1;
  const open = async (input: number): Promise<number> => fd = await files.open(input);
  const alive = setInterval(() => undefined, 1000); // who waits for a cell does not keep the process alive
  await Promise.all(Array.from({ length: readers }, async (_, reader) => {
    shares[reader] = 0;
    const stream = readInTurns({ inputs, turns: new ReadTurns(memory, turns.at), memory, counters, blockBytes, open, ...(readSync && { readSync }) });
    try {
      for await (const block of stream as AsyncIterable<Block>) {
        for (let turns = Math.floor(next() ** 3 * 6); turns > 0; turns--) await turn();
        const { release, ptr, headroom, ...place } = block;
        assert.ok(headroom > 1 << 20);
        blocks.push({ place, bytes: Buffer.from(memory.bytes(ptr, block.length)) });
        shares[reader]!++;
        release();
        assert.throws(release, { code: 'ETL_INTERNAL' });
        seen?.(blocks.length, turns);
      }
    } catch (error) {
      errors.push(error);
    }
    if (!stream.closed) await once(stream, 'close');
  }));
  clearInterval(alive);
  if (errors.length === 0) turns.assertEnded(inputs.length);
  await files.close();
  if (fd >= 0) assert.throws(() => fstatSync(fd), { code: 'EBADF' });
  turns.free();
  assert.equal(memory.slabsInUse, 0);
  blocks.sort((a, b) => a.place.sequence - b.place.sequence);
  return { blocks, errors, shares, counted: counters.bytes };
}

/** The blocks of one `BlockSource`, or how it fails. */
async function readAlone(inputs: readonly InputFile[], blockBytes: number): Promise<{ blocks: Seen[]; error: unknown }> {
  const memory = new LinearMemory();
  const source = new BlockSource({ inputs, memory, counters: newCounters(), blockBytes, blocks: 2 });
  const blocks: Seen[] = [];
  try {
    for await (const block of source.stream() as AsyncIterable<Block>) {
      const { release, ptr, headroom: _, ...place } = block;
      blocks.push({ place, bytes: Buffer.from(memory.bytes(ptr, block.length)) });
      release();
    }
  } catch (error) {
    return { blocks, error };
  }
  return { blocks, error: undefined };
}

/** Files of these sizes. */
async function filesOf(t: TestContext, sizes: readonly number[], seed = 1): Promise<InputFile[]> {
  const folder = temporaryFolder(t);
  const next = random(seed);
  for (const [i, size] of sizes.entries()) {
    writeFileSync(join(folder, `${String(i).padStart(2, '0')}.csv`), Uint8Array.from({ length: size }, () => 32 + Math.floor(next() * 90)));
  }
  return listInputs([folder]);
}

function failures(errors: readonly unknown[]): EtlError[] {
  return (errors as EtlError[]).filter(({ code }) => code !== 'ETL_ABORTED');
}

/** Reads as `fs.readSync`, but tells before each read of a block how many reads there were. */
function interrupted(before: (reads: number) => void): ReadSync {
  let reads = 0;
  return (fd, target, offset, length, position) => {
    before(reads++);
    return readSync(fd, target, offset, length, position);
  };
}

test('files of every size around that of a block, empty ones between them, by 1, 2, 3 and 8 readers', async (t) => {
  const size = 1000;
  let severalRead = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const next = random(seed);
    const sizes = [0, 1, size - 1, size, size + 1, 0, 0, 3 * size + 17, 20 * size, 0].sort(() => next() - 0.5);
    const inputs = await filesOf(t, seed === 12 ? [0, 0, 0] : sizes, seed);
    for (const blockBytes of [size, 1 + Math.floor(next() * 3000)]) {
      const expected = await readAlone(inputs, blockBytes);
      for (const readers of [1, 2, 3, 8]) {
        // As many bytes at a time as the system likes to give.
        const some: ReadSync = (fd, target, offset, length, position) => readSync(fd, target, offset, Math.ceil(length * next()), position);
        const { blocks, errors, shares, counted } = await readAll(inputs, { blockBytes, readers, next, readSync: some });
        assert.deepEqual(errors, []);
        assert.deepEqual(blocks, expected.blocks, `seed ${seed}, ${readers} readers, blocks of ${blockBytes}`);
        assert.equal(counted, inputs.reduce((sum, input) => sum + input.size!, 0));
        if (shares.filter((share) => share > 0).length > 1) severalRead++;
      }
    }
  }
  assert.ok(severalRead > 40, `${severalRead} had several readers at work`);
});

test('a block that is kept holds up its own reader only', async (t) => {
  const inputs = await filesOf(t, [5000]);
  const memory = new LinearMemory();
  const turns = ReadTurns.create(memory);
  const files = new OpenInput(inputs);
  const make = (): Readable => readInTurns({ inputs, turns, memory, counters: newCounters(), blockBytes: 1000, open: (input) => files.open(input) });
  const [slow, fast] = [make(), make()];
  const iterator = (slow as AsyncIterable<Block>)[Symbol.asyncIterator]();
  const held = (await iterator.next()).value as Block;
  const next = iterator.next();
  const sequences: number[] = [];
  for await (const block of fast as AsyncIterable<Block>) {
    sequences.push(block.sequence);
    block.release();
  }
  assert.deepEqual([held.sequence, sequences], [0, [1, 2, 3, 4, 5]]);
  held.release();
  assert.equal((await next).done, true);
  turns.assertEnded(1);
  await files.close();
});

test('a file that grows is read to its end; one that gets shorter is an error, wherever reading is', async (t) => {
  for (const readers of [1, 3]) {
    for (const at of [0, 1, 2, 3]) {
      const [grown] = await filesOf(t, [3000]);
      const appended = Buffer.alloc(1500, 'x');
      const grows = interrupted((reads) => {
        if (reads === at) appendFileSync(grown!.path!, appended);
      });
      const { blocks, errors } = await readAll([grown!], { blockBytes: 1000, readers, readSync: grows });
      assert.deepEqual(errors, []);
      assert.deepEqual(blocks.map(({ bytes }) => bytes.length), [1000, 1000, 1000, 1000, 500]);
      assert.ok(Buffer.concat(blocks.map(({ bytes }) => bytes)).subarray(3000).equals(appended));

      const [shrunk] = await filesOf(t, [3500]);
      const shrinks = interrupted((reads) => {
        if (reads === at) truncateSync(shrunk!.path!, 500);
      });
      const { errors: [...all] } = await readAll([shrunk!], { blockBytes: 1000, readers, readSync: shrinks });
      assert.deepEqual([all.length, failures(all).length], [readers, 1]);
      const { code, message } = failures(all)[0]!;
      assert.deepEqual([code, message], ['ETL_INPUT_READ', `The input ${shrunk!.name} got shorter while it was read: ${at === 0 ? 500 : at * 1000} of 3500 bytes.`]);
    }
  }
});

test('a file that is replaced or removed once it is open is read on by all', async (t) => {
  for (const replaced of [true, false]) {
    const inputs = await filesOf(t, [20_000]);
    const { path } = inputs[0]!;
    const expected = await readAlone(inputs, 1000);
    let done = false;
    const readSyncAndReplace = interrupted((reads) => {
      if (reads !== 3) return;
      if (replaced) writeFileSync(`${path}.new`, Buffer.alloc(30_000, 'z'));
      if (replaced) renameSync(`${path}.new`, path!);
      else rmSync(path!);
      done = true;
    });
    const { blocks, errors, shares } = await readAll(inputs, { blockBytes: 1000, readers: 3, readSync: readSyncAndReplace });
    assert.ok(done && shares.every((share) => share > 1), String(shares));
    assert.deepEqual(errors, []);
    assert.deepEqual(blocks, expected.blocks);
  }
});

test('what cannot be opened or read is told as by one reader', async (t) => {
  const faults: ((path: string) => void)[] = [
    (path) => rmSync(path),
    (path) => { rmSync(path); mkdirSync(path); },
    (path) => writeFileSync(path, ''),
  ];
  for (const fault of faults) {
    for (const readers of [1, 2, 5]) {
      const inputs = await filesOf(t, [2500, 0, 1500, 2000]);
      fault(inputs[2]!.path!);
      const { error } = await readAlone(inputs, 1000);
      const { errors } = await readAll(inputs, { blockBytes: 1000, readers });
      const [told, ...others] = failures(errors);
      assert.deepEqual([errors.length, others], [readers, []]);
      assert.equal(told!.code, 'ETL_INPUT_READ');
      const parts = ({ code, message, hint, cause }: EtlError): unknown[] => [code, message, hint, (cause as NodeJS.ErrnoException | undefined)?.code];
      assert.deepEqual(parts(told!), parts(error as EtlError));
    }
  }
});

test('what is no text any more when it is read is an error: threads would take it for some', async (t) => {
  for (const head of [[0x1f, 0x8b, 8], [0x28, 0xb5, 0x2f, 0xfd], [0xff, 0xfe, 0x6c, 0]]) {
    const inputs = await filesOf(t, [2500, 1500]);
    writeFileSync(inputs[1]!.path!, Uint8Array.of(...head, ...new Uint8Array(5000)));
    const { errors } = await readAll(inputs, { blockBytes: 1000, readers: 2 });
    const [told, ...others] = failures(errors);
    assert.deepEqual([told!.code, others], ['ETL_INPUT_READ', []]);
    assert.match(told!.message, /replaced/);
  }
});

test('a read that fails, whichever it is, fails its reader with the cause and ends the others', async (t) => {
  const inputs = await filesOf(t, [2500, 0, 1500]);
  let failed = 0;
  for (const readers of [1, 2, 5]) {
    for (let at = 0, ended = false; !ended; at++) {
      const cause = Object.assign(new Error('on purpose'), { code: 'EIO' });
      let thrown = false;
      const fails = interrupted((reads) => {
        if (reads !== at) return;
        thrown = true;
        throw cause;
      });
      const { errors } = await readAll(inputs, { blockBytes: 1000, readers, readSync: fails });
      ended = !thrown;
      if (ended) assert.deepEqual(errors, []);
      else {
        failed++;
        assert.equal(errors.length, readers);
        assert.deepEqual(failures(errors).map(({ code, cause }) => [code, cause]), [['ETL_INPUT_READ', cause]]);
      }
    }
  }
  assert.equal(failed, 3 * 8);
});

test('stopped turns end all readers, wherever they are, and a reader that is destroyed stops them', async (t) => {
  const inputs = await filesOf(t, [2500, 0, 1500, 4000]);
  for (const readers of [1, 2, 5]) {
    for (const at of [1, 2, 3, 5, 8]) {
      const { errors, blocks } = await readAll(inputs, { blockBytes: 1000, readers, next: random(at), seen: (count, turns) => count === at && turns.stop() });
      assert.deepEqual(errors.map((error) => (error as EtlError).code), Array(readers).fill('ETL_ABORTED'));
      assert.ok(blocks.length < 11, `${blocks.length}`);
    }
  }
  for (const began of [false, true]) {
    const memory = new LinearMemory();
    const turns = ReadTurns.create(memory);
    const files = new OpenInput(inputs);
    const make = (): Readable => readInTurns({ inputs, turns, memory, counters: newCounters(), blockBytes: 1000, open: (input) => files.open(input) });
    const [gone, other] = [make(), make()];
    if (began) {
      gone.read();
      await turn(); // it waits for its file
    }
    gone.destroy();
    await once(gone, 'close');
    await assert.rejects(other.toArray(), { code: 'ETL_ABORTED' });
    await files.close();
    turns.free();
    assert.equal(memory.slabsInUse, 0);
  }
});

test('memory that does not hold a block is an error', async (t) => {
  const memory = new LinearMemory({ limit: 1 << 20 });
  const turns = ReadTurns.create(memory);
  const inputs = await filesOf(t, [10]);
  assert.throws(() => readInTurns({ inputs, turns, memory, counters: newCounters(), blockBytes: 1000, open: async () => -1 }), { code: 'ETL_MEMORY' });
  turns.free();
  assert.equal(memory.slabsInUse, 0);
});
