/** What is told of a result, against sums of BigInts and a search for each bucket. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResultBatch } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createTotalsTwin, type TotalsKernel } from '../../lib/kernels/twins/totals.ts';
import { decimal } from '../../lib/report/decimal.ts';
import { ResultCollector, TOP_ROWS } from '../../lib/report/result.ts';
import { random } from '../random.ts';

interface Row {
  readonly region: string;
  readonly user: string;
  readonly total: bigint;
  readonly logs: number;
}

const memory = new LinearMemory();
const COLUMN_BYTES = 8192;
const columnAt = memory.slab(COLUMN_BYTES, 'totals of a test');
const kernels: Record<string, TotalsKernel> = { kernel: await loadKernel<TotalsKernel>('totals', memory), twin: createTotalsTwin(memory) };

/** A batch of rows, its totals in linear memory, between others. */
function batchOf(rows: readonly Row[], byUser: boolean): ResultBatch {
  const users = rows.map(({ user }) => Buffer.from(user));
  const ends = [0];
  for (const user of users) ends.push(ends.at(-1)! + user.length);
  const names = [...new Set(rows.map(({ region }) => region))].reverse();
  const totals = new BigInt64Array(memory.memory.buffer, columnAt, COLUMN_BYTES / 8).fill(2n ** 62n + 77n).subarray(1, rows.length + 1);
  totals.set(rows.map(({ total }) => total));
  return {
    region: byUser ? undefined : rows[0]!.region, rows: rows.length, userOffsets: Int32Array.from(ends), userBytes: Buffer.concat(users),
    totals, counts: BigInt64Array.from(rows, ({ logs }) => BigInt(logs)),
    topRegions: byUser ? { names, numbers: Uint32Array.from(rows, ({ region }) => names.indexOf(region)) } : undefined,
    area: new Uint8Array(), release: () => undefined,
  };
}

/** Totals of all sizes and both signs, bounds and powers of 2 and what is beside them. */
function totalOf(next: () => number, bits: number): bigint {
  const kind = next();
  const power = Math.floor(next() * bits);
  const size = kind < 0.4 ? BigInt(Math.floor(next() * 2 ** Math.min(power, 50)))
    : kind < 0.6 ? 1n << BigInt(power)
      : [1n, 2n, 5n][Math.floor(next() * 3)]! * 10n ** BigInt(Math.floor(power * 0.29));
  const beside = size + BigInt(Math.floor(next() * 3)) - 1n;
  return BigInt.asIntN(64, next() < 0.2 ? -beside : beside);
}

const SEED = 11;

for (const [name, kernel] of Object.entries(kernels)) for (const byUser of [false, true]) {
  test(`${name}: regions, buckets and top rows are those of a plain model, ${byUser ? 'by user' : 'by region'} (seed ${SEED})`, () => {
    const next = random(SEED);
    for (let round = 0; round < 60; round++) {
      const collector = new ResultCollector({ memory, kernel });
      const all: Row[] = [];
      const bits = round % 3 === 0 ? 64 : 12;
      for (let batch = 0; batch < 6; batch++) {
        const region = `R${batch >> 1}`;
        const rows = Array.from({ length: 1 + Math.floor(next() * 40) }, (_, row): Row => ({
          region: byUser ? `R${Math.floor(next() * 3)}` : region, user: `ü${batch}-${row}`, total: totalOf(next, bits), logs: 1 + Math.floor(next() * (row === 0 ? 2 ** 40 : 9)),
        }));
        collector.add(batchOf(rows, byUser), rows.reduce((sum, { logs }) => sum + logs, 0));
        all.push(...rows);
      }
      const scale = round % 4;
      const result = collector.finish(scale);
      collector.close();
      const sum = (rows: readonly Row[]): { total: string; logs: number; rows: number } =>
        ({ total: decimal(rows.reduce((total, row) => total + row.total, 0n), scale), logs: rows.reduce((logs, row) => logs + row.logs, 0), rows: rows.length });
      assert.deepEqual({ total: result.total, logs: result.logs, rows: result.rows }, sum(all));
      const regions = [...new Set(all.map(({ region }) => region))].map((region) => ({ region, ...sum(all.filter((row) => row.region === region)) }));
      assert.deepEqual([...result.regions.listed].sort((a, b) => (a.region < b.region ? -1 : 1)), regions.sort((a, b) => (a.region < b.region ? -1 : 1)));
      const top = all.filter(({ total }) => total > -(2n ** 63n)).map((row, place) => ({ ...row, place })).sort((a, b) => (a.total > b.total ? -1 : a.total < b.total ? 1 : a.place - b.place)).slice(0, TOP_ROWS);
      assert.deepEqual(result.top, top.map(({ user, region, total, logs }) => ({ user, region, total: decimal(total, scale), logs })));
      const units = (text: string): bigint => BigInt(text.replace('.', ''));
      for (const { from, to, rows } of result.distribution) {
        const [low, high] = [units(from), units(to)];
        assert.equal(rows, all.filter(({ total }) => (low >= 0n ? total >= low && total < high : total > low && total <= high) || (total === -(2n ** 63n) && low === total)).length, `${from} to ${to}`);
      }
      assert.equal(result.distribution.reduce((rows, bucket) => rows + bucket.rows, 0), all.length);
      assert.ok(result.distribution[0]!.rows > 0 && result.distribution.at(-1)!.rows > 0);
    }
  });
}

test('without rows there is nothing, and sums go beyond 64 bits', () => {
  const kernel = kernels.kernel!;
  assert.deepEqual(new ResultCollector({ memory, kernel }).finish(2), { total: '0.00', logs: 0, rows: 0, regions: { count: 0, listed: [] }, distribution: [], top: [] });
  const collector = new ResultCollector({ memory, kernel });
  const most = { region: 'DE', user: 'u', total: 2n ** 63n - 1n, logs: 1 };
  for (let batch = 0; batch < 3; batch++) collector.add(batchOf([most, most], false), 2);
  assert.equal(collector.finish(0).total, String(6n * (2n ** 63n - 1n)));
});

test('a decimal has the places of its scale', () => {
  assert.deepEqual([[0n, 0], [-5n, 0], [0n, 2], [5n, 2], [-5n, 2], [1250n, 2], [-123456789n, 6]].map(([units, scale]) => decimal(BigInt(units!), Number(scale))), ['0', '-5', '0.00', '0.05', '-0.05', '12.50', '-123.456789']);
});
