/** Values: exact for every i64, and nothing but decimal numbers accepted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultColumns } from '../../lib/core/options.ts';
import { reasonOf } from '../../lib/core/rejects.ts';
import { validateRules } from '../../lib/core/rules.ts';
import { BATCH_BYTES, BATCH_ROWS, BATCH_STATUS, BATCH_VALUE, BATCH_VALUE_LEN, BATCH_VALUE_PTR } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { random } from '../random.ts';
import { scaledBound } from '../../lib/parse/row-rules.ts';
import { implementations } from './blocks.ts';

type Parse = (texts: readonly string[], scale: number, least?: bigint, most?: bigint) => (bigint | string)[];

const rules = validateRules([], { ...defaultColumns, value: 'v' });
const [BELOW, ABOVE] = ['rule v:min=0', 'rule v:max=1440'];
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

/** `value` / 10^scale as a decimal, all places written. */
function format(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${value < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`;
}

for (const { name, create } of implementations) {
  const parser = async (): Promise<Parse> => {
    const memory = new LinearMemory();
    const kernel = await create(memory);
    const batch = memory.slab(BATCH_BYTES, 'batch');
    const room = memory.slab(1 << 20, 'texts');
    return (texts, scale, least = MIN, most = MAX) => {
      assert.ok(texts.length <= BATCH_ROWS);
      let at = room + 16;
      // Digits around each value: a kernel that looks too far is found out.
      memory.bytes(room, 1 << 20).fill(0x37);
      for (const [row, text] of texts.entries()) {
        memory.bytes(at, text.length).set(Buffer.from(text, 'latin1'));
        memory.u32(batch + BATCH_VALUE_PTR, texts.length)[row] = at;
        memory.u32(batch + BATCH_VALUE_LEN, texts.length)[row] = text.length;
        memory.u32(batch + BATCH_STATUS, texts.length)[row] = 0;
        at += text.length + 3;
      }
      const rejected = kernel.values(batch, texts.length, scale, least, most);
      const statuses = [...memory.u32(batch + BATCH_STATUS, texts.length)];
      assert.equal(rejected, statuses.filter((status) => status !== 0).length);
      return statuses.map((status, row) => (
        status === 0 ? memory.view(batch + BATCH_VALUE + 8 * row, 8).getBigInt64(0, true) : reasonOf(status, rules)
      ));
    };
  };

  test(`values: grammar (${name})`, async () => {
    const parse = await parser();
    const cases: [string, number, bigint | string][] = [
      ['42', 0, 42n], ['0', 0, 0n], ['-0', 0, 0n], ['+7', 0, 7n], ['-7', 0, -7n], ['007', 0, 7n], ['42', 2, 4200n],
      ['1.5', 1, 15n], ['1.5', 2, 150n], ['-1.5', 2, -150n], ['1.50', 1, 15n], ['1.5000000000000000000000000', 1, 15n],
      ['5.', 1, 50n], ['.5', 1, 5n], ['-.5', 1, -5n], ['0.000', 0, 0n], [' 42', 0, 42n], ['42\t ', 0, 42n], [' \t+4.2 ', 1, 42n],
      ['12345678', 6, 12345678000000n], ['12345678', 10, 123456780000000000n], ['123456789', 0, 123456789n],
      ['00000000000000000000000000000000000000000000000000000000000000000000000000000000001', 6, 1000000n],
      ['', 0, 'bad_value'], [' ', 0, 'bad_value'], ['.', 0, 'bad_value'], ['-', 0, 'bad_value'], ['+.', 0, 'bad_value'],
      ['--1', 0, 'bad_value'], ['1 2', 0, 'bad_value'], ['1-', 0, 'bad_value'], ['- 1', 0, 'bad_value'], ['1e3', 0, 'bad_value'],
      ['1,000', 0, 'bad_value'], ['1_000', 0, 'bad_value'], ['0x10', 0, 'bad_value'], ['inf', 0, 'bad_value'], ['NaN', 0, 'bad_value'],
      ['1.2.3', 1, 'bad_value'], ['1..2', 1, 'bad_value'], ['\n42', 0, 'bad_value'], ['42\0', 0, 'bad_value'], ['4²', 0, 'bad_value'],
      ['1:', 0, 'bad_value'], ['/1', 0, 'bad_value'], ['\xb21', 0, 'bad_value'], ['1.5', 0, 'value_precision'],
      ['1.05', 1, 'value_precision'], ['1.000000000000000000000001', 6, 'value_precision'],
      ['99999999999999999999999', 0, 'value_range'], ['99999999999999999999.01', 1, 'value_precision'],
      ['99999999999999999999x', 1, 'bad_value'], [`${'9'.repeat(5000)}`, 0, 'value_range'],
    ];
    for (const [text, scale, expected] of cases) assert.deepEqual(parse([text], scale), [expected], `${JSON.stringify(text)} x 10^${scale}`);
  });

  test(`values: every byte in a one-byte and an eight-byte value (${name})`, async () => {
    const parse = await parser();
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      const digit = byte >= 48 && byte <= 57;
      assert.deepEqual(parse([character], 0), [digit ? BigInt(character) : 'bad_value'], `byte ${byte}`);
      const [value] = parse([`1234${character}678`], 3);
      const expected = digit ? BigInt(`1234${character}678`) * 1000n : character === '.' ? 1234678n : 'bad_value';
      assert.equal(value, expected, `byte ${byte}`);
    }
  });

  test(`values: the limits of i64 at every scale (${name})`, async () => {
    const parse = await parser();
    for (let scale = 0; scale <= 18; scale++) {
      for (const value of [MAX, MAX - 1n, MIN, MIN + 1n, 10n ** 18n, -(10n ** 18n), 0n, 1n, -1n]) {
        assert.deepEqual(parse([format(value, scale)], scale), [value], `${value} at ${scale}`);
      }
      for (const value of [MAX + 1n, MIN - 1n, MAX * 10n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 64n + 5n, 2n ** 64n * 10n]) {
        assert.deepEqual(parse([format(value, scale)], scale), ['value_range'], `${value} at ${scale}`);
      }
    }
  });

  test(`values: random i64, rounds of BATCH_ROWS (${name})`, async () => {
    const parse = await parser();
    const next = random(11);
    for (let round = 0; round < 10; round++) {
      const scale = Math.floor(next() * 7);
      const values = Array.from({ length: BATCH_ROWS }, () => {
        const bits = 1 + Math.floor(next() * 63);
        const magnitude = (BigInt(Math.floor(next() * 2 ** 32)) << 32n | BigInt(Math.floor(next() * 2 ** 32))) >> BigInt(64 - bits);
        return next() < 0.3 ? -magnitude : magnitude;
      });
      assert.deepEqual(parse(values.map((value) => format(value, scale)), scale), values, `round ${round}`);
    }
  });

  test(`values: exactly at the bounds, at every scale (${name})`, async () => {
    const parse = await parser();
    for (let scale = 0; scale <= 6; scale++) {
      const bounds: [bigint, bigint][] = [
        [0n, 1440n * 10n ** BigInt(scale)], [0n, 0n], [-5n, 7n], [MIN, -1n], [1n, MAX], [MIN, MAX], [MIN, MIN], [MAX, MAX], [MIN + 1n, MAX - 1n],
        [12345678n, 12345679n], [-(10n ** 12n), 10n ** 18n],
      ];
      for (const [least, most] of bounds) {
        const values = [least, least + 1n, least - 1n, most, most - 1n, most + 1n, 0n, 1n, -1n, MIN, MAX, 99999999n, 100000000n]
          .filter((value) => value >= MIN && value <= MAX);
        const expected = values.map((value) => (value < least ? BELOW : value > most ? ABOVE : value));
        assert.deepEqual(parse(values.map((value) => format(value, scale)), scale, least, most), expected, `${least} to ${most} at ${scale}`);
      }
    }
    assert.deepEqual(parse(['x', '-1', '0', '0.1', '1440', '1441', '99999999999999999999'], 0, 0n, 1440n), ['bad_value', BELOW, 0n, 'value_precision', 1440n, ABOVE, 'value_range']);
  });
}

test('bounds x 10^scale: the least and the most that are allowed, however many decimals they have', () => {
  const [min, max] = ['min', 'max'].map((kind) => (bound: string, scale: number) => (
    scaledBound(validateRules([{ column: 'v', min: 'none', max: 'none', [kind]: bound }], { ...defaultColumns, value: 'v' })[kind === 'min' ? 0 : 1]!, scale)
  )) as [(bound: string, scale: number) => bigint, (bound: string, scale: number) => bigint];
  const cases: [string, number, bigint, bigint][] = [
    ['1.5', 0, 2n, 1n], ['-1.5', 0, -1n, -2n], ['1.50', 1, 15n, 15n], ['1.5', 3, 1500n, 1500n], ['-.001', 2, 0n, -1n], ['.001', 2, 1n, 0n], ['+7.', 1, 70n, 70n],
    ['0.0000000000000000001', 6, 1n, 0n], ['-0', 6, 0n, 0n], ['1000000000000', 6, 10n ** 18n, 10n ** 18n],
  ];
  for (const [bound, scale, least, most] of cases) assert.deepEqual([min(bound, scale), max(bound, scale)], [least, most], `${bound} at ${scale}`);
  assert.deepEqual([min('none', 3), max('none', 3), max('9'.repeat(30), 6), min(`-${'9'.repeat(30)}`, 0)], [MIN, MAX, MAX, MIN]);
});
