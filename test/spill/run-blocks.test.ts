import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { MAX_USER_BYTES, RUN_USER } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import {
  BLOCK_HEADER, BLOCK_MOST, BLOCK_PACKED, BLOCK_RAW, BLOCK_ROWS, BLOCK_SLACK, CURSOR_AT, CURSOR_BYTES, CURSOR_NUMBER, DAMAGED,
  RUN_BLOCK_BYTES,
} from '../../lib/kernels/spill-layout.ts';
import { createSpillTwin, type SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { xxh64 } from '../../lib/kernels/twins/xxh64.ts';
import { random } from '../random.ts';
import { randomRunRows, runRow } from './rows.ts';

const AREA = 1 << 20;
const SMALL_AREA = 1 << 15;
const SALT = 0xfedcba98;
const GUARD = 0xa5;
const makers: Record<string, (memory: LinearMemory) => Promise<SpillKernel>> = {
  wasm: (memory) => loadKernel<SpillKernel>('spill', memory),
  twin: async (memory) => createSpillTwin(memory),
};

/** A kernel with one area to read from and one to write to. */
async function bench(make: (memory: LinearMemory) => Promise<SpillKernel>, areaBytes = AREA) {
  const memory = new LinearMemory();
  const kernel = await make(memory);
  const cursor = memory.slab(CURSOR_BYTES, 'cursor');
  const from = memory.slab(areaBytes, 'from');
  const to = memory.slab(areaBytes, 'to');
  const fields = memory.u32(cursor, CURSOR_BYTES / 4);
  /** Packs to `room` bytes; gives the blocks and the bytes of the rows that were taken. */
  const pack = (rows: Uint8Array, room = areaBytes, number = 0) => {
    memory.bytes(from, areaBytes).fill(GUARD).set(rows);
    memory.bytes(to, areaBytes).fill(GUARD);
    fields.set([to, to + room, number, SALT]);
    const taken = kernel.packRows(cursor, from, rows.length) >>> 0;
    const end = fields[CURSOR_AT / 4]!;
    assert.ok(memory.bytes(Math.min(end + BLOCK_SLACK, to + room), 16).every((byte) => byte === GUARD), 'nothing is written past the slack');
    return { taken, blocks: Buffer.from(memory.bytes(to, end - to)) };
  };
  /** Unpacks to `room` bytes. */
  const unpack = (blocks: Uint8Array, room = areaBytes, number = 0) => {
    memory.bytes(from, areaBytes).fill(GUARD).set(blocks);
    memory.bytes(to, areaBytes).fill(GUARD);
    fields.set([from, from + blocks.length, number, SALT]);
    const bytes = kernel.unpackBlocks(cursor, to, room) >>> 0;
    assert.ok(memory.bytes(to + room, Math.min(64, areaBytes - room)).every((byte) => byte === GUARD), 'nothing is written past the room');
    return {
      bytes, rows: Buffer.from(memory.bytes(to, bytes === DAMAGED ? 0 : bytes)), at: fields[CURSOR_AT / 4]! - from, number: fields[CURSOR_NUMBER / 4]!,
    };
  };
  return { pack, unpack };
}

function setChecksum(block: Buffer, number = 0): Buffer {
  block.writeBigUInt64LE(xxh64(block.subarray(BLOCK_PACKED), BigInt(number) | (BigInt(SALT) << 32n)), 0);
  return block;
}

const sizeOf = (blocks: Buffer, at = 0): number => BLOCK_HEADER + blocks.readUInt32LE(at + BLOCK_PACKED);

for (const [name, make] of Object.entries(makers)) {
  suite(`blocks of run files, ${name}`, () => {
    for (const seed of [1, 2, 3, 4]) {
      test(`random rows come back, and both kernels pack the same bytes, seed ${seed}`, async () => {
        const next = random(seed);
        const rows = Buffer.concat(randomRunRows(next, name === 'wasm' ? 400_000 : 60_000));
        const { pack, unpack } = await bench(make);
        const { taken, blocks } = pack(rows);
        assert.equal(taken, rows.length);
        assert.deepEqual(pack(rows).blocks, blocks, 'packing has no other inputs');
        assert.ok(blocks.length < rows.length, 'it is smaller');
        if (name === 'wasm') assert.deepEqual((await bench(makers.twin!)).pack(rows.subarray(0, 60_000)).blocks.subarray(0, 20_000), blocks.subarray(0, 20_000));
        const whole = unpack(blocks);
        assert.ok(whole.rows.equals(rows), `seed ${seed}`);
        assert.equal(whole.at, blocks.length);
        // In pieces: through the smallest room there may be, and random ones.
        const parts: Buffer[] = [];
        for (let at = 0, number = 0; at < blocks.length; ) {
          const part = unpack(blocks.subarray(at), RUN_BLOCK_BYTES + Math.floor(next() ** 4 * 40_000), number);
          assert.ok(part.bytes > 0 && part.bytes !== DAMAGED);
          parts.push(part.rows);
          at += part.at;
          number = part.number;
        }
        assert.ok(parts.length > 1 && Buffer.concat(parts).equals(rows), `seed ${seed}`);
      });
    }

    test('the longest rows, and numbers at every border', async () => {
      const { pack, unpack } = await bench(make);
      const longest = Buffer.alloc(MAX_USER_BYTES, 'u');
      const sums = [0, 7, 8, 15, 16, 31, 32, 55, 56, 62, 63, 64, 126].flatMap((bit) => [1n << BigInt(bit), -(1n << BigInt(bit)), (1n << BigInt(bit)) - 1n, -(1n << BigInt(bit)) - 1n]);
      const rows = [
        ...sums.map((sum, i) => runRow(i % 3, Buffer.alloc(i % 20, 'x'), sum, 2n ** BigInt(i % 65) - 1n)),
        runRow(2 ** 32 - 1, longest, -(2n ** 127n), 2n ** 64n - 1n), runRow(2 ** 32 - 1, longest, 2n ** 127n - 1n, 0n), runRow(0, Buffer.alloc(0), 0n, 0n),
        ...[253, 254, 255, 256, 257].flatMap((length) => [0, 253, 254, 255, 256].map((shared) => {
          const user = Buffer.alloc(length, 'a');
          return runRow(1, user.fill('b', Math.min(shared, length)), 1n, 1n);
        })),
      ];
      const { blocks, taken } = pack(Buffer.concat(rows));
      assert.equal(taken, Buffer.concat(rows).length);
      assert.ok(unpack(blocks).rows.equals(Buffer.concat(rows)));
      // Rows that take one byte more packed than not, as many as there may be in a block.
      const worst = Buffer.concat(Array.from({ length: 28 }, (_, i) => runRow(i + 1, Buffer.alloc(i === 0 ? 443 : 255, i), -(2n ** 100n), 2n ** 63n)));
      assert.equal(worst.length, RUN_BLOCK_BYTES);
      const largest = pack(worst).blocks;
      assert.equal(largest.length, BLOCK_MOST);
      assert.ok(unpack(largest, RUN_BLOCK_BYTES).rows.equals(worst));
    });

    test('packing stops at whole rows, and where a block might not fit', async () => {
      const { pack } = await bench(make);
      const row = runRow(1, Buffer.from('user'), 1n, 1n);
      assert.equal(pack(Buffer.concat([row, row.subarray(0, -1)])).taken, row.length);
      assert.equal(pack(row.subarray(0, RUN_USER - 1)).taken, 0);
      const tooLong = runRow(1, Buffer.alloc(MAX_USER_BYTES + 1), 1n, 1n);
      assert.equal(pack(tooLong).taken, 0);
      assert.equal(pack(row, BLOCK_MOST + BLOCK_SLACK - 1).taken, 0);
      assert.equal(pack(row, BLOCK_MOST + BLOCK_SLACK).taken, row.length);
    });

    test('a block that is cut anywhere waits for the rest', async () => {
      const { pack, unpack } = await bench(make);
      const rows = Buffer.concat(randomRunRows(random(5), 3000));
      const { blocks } = pack(rows);
      const size = sizeOf(blocks);
      for (let length = 0; length < size; length += length < 64 || size - length < 64 ? 1 : 37) {
        assert.equal(unpack(blocks.subarray(0, length)).bytes, 0, `${length} of ${size} bytes`);
      }
      assert.equal(unpack(blocks.subarray(0, size)).bytes, blocks.readUInt32LE(BLOCK_RAW));
    });

    test('every changed bit is noticed, behind the good blocks before it', async () => {
      const { pack, unpack } = await bench(make, SMALL_AREA);
      const row = (i: number): Buffer => runRow(i % 2, Buffer.from(`user_${i}`), BigInt(i), 3n);
      const first = pack(Buffer.concat([row(1), row(2)])).blocks;
      const second = pack(Buffer.concat([row(3), row(4)]), SMALL_AREA, 1).blocks;
      const good = Buffer.concat([first, second]);
      assert.equal(unpack(good).bytes, Buffer.concat([row(1), row(2), row(3), row(4)]).length);
      for (let bit = 0; bit < good.length * 8; bit++) {
        const bad = Buffer.from(good);
        bad[bit >> 3]! ^= 1 << (bit & 7);
        const { bytes } = unpack(bad);
        if (bit < first.length * 8) {
          // A size that grew may also look like a block that is not all there yet.
          assert.ok(bytes === DAMAGED || (bytes === 0 && bit >> 3 >= BLOCK_PACKED && bit >> 3 < BLOCK_ROWS), `bit ${bit}`);
        } else {
          assert.equal(bytes, row(1).length + row(2).length, `bit ${bit}`);
        }
      }
      assert.equal(unpack(second).bytes, DAMAGED, 'a block in the place of another');
      assert.equal(unpack(first, SMALL_AREA, 1).bytes, DAMAGED);
    });

    test('hostile blocks with the right checksum never reach outside', async () => {
      const { pack, unpack } = await bench(make, SMALL_AREA);
      const next = random(6);
      const twin = name === 'wasm' ? await bench(makers.twin!, SMALL_AREA) : undefined;
      let refused = 0;
      const rounds = name === 'wasm' ? 6000 : 800;
      for (let round = 0; round < rounds; round++) {
        const { blocks } = pack(Buffer.concat(randomRunRows(next, 40 + next() * 300)));
        const bad = Buffer.from(blocks.subarray(0, sizeOf(blocks)));
        const start = next() < 0.3 ? BLOCK_ROWS : BLOCK_HEADER;
        for (let changes = 1 + next() * 3; changes > 0; changes--) {
          bad[start + Math.floor(next() * Math.min(bad.length - start, 60))] = next() < 0.3 ? 255 : Math.floor(next() * 256);
        }
        setChecksum(bad);
        const result = unpack(bad, RUN_BLOCK_BYTES);
        refused += result.bytes === DAMAGED ? 1 : 0;
        assert.equal(result.bytes === DAMAGED || result.bytes === 0 || result.bytes === bad.readUInt32LE(BLOCK_RAW), true, `round ${round}`);
        if (twin && round % 8 === 0) assert.deepEqual(twin.unpack(bad, RUN_BLOCK_BYTES), result, `round ${round}`);
      }
      assert.ok(refused > rounds / 4, `${refused} were refused`);
    });

    test('headers that promise too much are damaged, with the right checksum', async () => {
      const { pack, unpack } = await bench(make, SMALL_AREA);
      const { blocks } = pack(runRow(1, Buffer.from('user'), 1n, 1n));
      for (const [field, values] of [[BLOCK_PACKED, [0, 3, BLOCK_MOST, 2 ** 32 - 1]], [BLOCK_ROWS, [0, 2, 2 ** 32 - 1]], [BLOCK_RAW, [0, 35, 37, RUN_BLOCK_BYTES + 1, 2 ** 32 - 1]]] as const) {
        for (const value of values) {
          const bad = Buffer.from(blocks);
          bad.writeUInt32LE(value, field);
          if (field !== BLOCK_PACKED || value < 100) setChecksum(bad.subarray(0, field === BLOCK_PACKED ? BLOCK_HEADER + value : bad.length));
          assert.equal(unpack(bad).bytes, DAMAGED, `${field}: ${value}`);
        }
      }
    });
  });
}
