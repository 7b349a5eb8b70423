import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BINARY, BYTE, FALSE, field, I16, I32, I64, LIST, readStruct, STRUCT, struct, text, TRUE, writeStruct, type Field, type Struct,
} from '../../lib/parquet/thrift.ts';
import { random } from '../random.ts';

/** What the protocol's specification gives for these. */
test('known bytes', () => {
  const cases: [Struct, number[]][] = [
    [[], [0]],
    [struct([1, field(I32, 1)]), [0x15, 2, 0]],
    [struct([1, field(I32, -1)], [2, field(TRUE, 0)], [3, field(FALSE, 0)]), [0x15, 1, 0x11, 0x12, 0]],
    [struct([16, field(I64, 300)]), [0x06, 32, 0xd8, 0x04, 0]],
    [struct([15, text('é')], [30, field(I16, -300)]), [0xf8, 2, 0xc3, 0xa9, 0xf4, 0xd7, 0x04, 0]],
    [struct([1, field(LIST, { type: BYTE, items: [1, 2] })]), [0x19, 0x23, 1, 2, 0]],
    [struct([2, field(STRUCT, struct([1, field(BYTE, 9)]))]), [0x2c, 0x13, 9, 0, 0]],
  ];
  for (const [value, bytes] of cases) {
    assert.deepEqual([...writeStruct(value)], bytes);
    assert.deepEqual(readStruct(Uint8Array.from(bytes)), value);
  }
});

test('random structures survive; every truncation is an error', () => {
  for (let seed = 0; seed < 200; seed++) {
    const next = random(seed);
    const pick = (below: number): number => Math.floor(next() * below);
    const integer = (bits: number): number => Math.round((next() - 0.5) * 2 ** pick(bits + 1)) + 0;
    const value = (type: number, depth: number): Field['value'] => {
      if (type === BYTE) return pick(256);
      if (type === I16) return integer(15);
      if (type === I32) return integer(31);
      if (type === I64) return integer(53);
      if (type === BINARY) return Uint8Array.from({ length: pick(4) === 0 ? pick(3000) : pick(20) }, () => pick(256));
      if (type === STRUCT) return structure(depth + 1);
      const itemType = [BYTE, I16, I32, I64, BINARY, STRUCT][pick(6)]!;
      return { type: itemType, items: Array.from({ length: pick(depth > 1 ? 3 : 40) }, () => value(itemType, depth + 1)) };
    };
    const structure = (depth: number): Struct => {
      const made: Struct = [];
      for (let id = 0, fields = pick(depth > 2 ? 2 : 8); fields > 0; fields--) {
        id += 1 + pick(20);
        const type = [TRUE, FALSE, BYTE, I16, I32, I64, BINARY, LIST, STRUCT][pick(depth > 2 ? 7 : 9)]!;
        made[id] = field(type, type <= FALSE ? 0 : value(type, depth));
      }
      return made;
    };
    const original = structure(0);
    const bytes = writeStruct(original);
    assert.deepEqual(readStruct(bytes), original, `seed ${seed}`);
    for (let length = 0; length < bytes.length; length += 1 + pick(bytes.length / 10)) {
      assert.throws(() => readStruct(bytes.subarray(0, length)), RangeError, `seed ${seed}, ${length} bytes`);
    }
  }
});
