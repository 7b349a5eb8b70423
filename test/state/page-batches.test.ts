/** Memory of pages on their way into the database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EtlError } from '../../lib/core/errors.ts';
import type { Operation } from '../../lib/state/database.ts';
import { BATCH_BYTES, PageBatches } from '../../lib/state/page-batches.ts';

const PAGE = 13_000;

/** A database that is as slow as the test wants. */
function slowDatabase(): { batch(operations: Operation[]): Promise<void>; readonly sizes: number[]; mostAtOnce: number; atOnce: number } {
  return {
    sizes: [],
    mostAtOnce: 0,
    atOnce: 0,
    async batch(operations) {
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      this.sizes.push(operations.reduce((sum, operation) => sum + (operation.type === 'put' ? operation.value.length : 0), 0));
      this.atOnce--;
    },
  };
}

for (const adders of [1, 64]) {
  test(`100 MB from ${adders} at a time: one batch is written, one gathered, no more`, async () => {
    const database = slowDatabase();
    const batches = new PageBatches({ database, failed: () => assert.fail() });
    let left = Math.ceil(100e6 / PAGE);
    await Promise.all(Array.from({ length: adders }, async () => {
      const page = new Uint8Array(PAGE);
      while (left-- > 0) await batches.add(Uint8Array.of(1), page);
    }));
    await batches.flush();
    assert.ok(batches.mostBytes <= 2 * (BATCH_BYTES + PAGE), `${batches.mostBytes} bytes were held`);
    assert.ok(batches.mostBytes > BATCH_BYTES + PAGE, 'while one was written another was gathered');
    assert.equal(database.mostAtOnce, 1);
    assert.equal(batches.written, database.sizes.length);
    assert.ok(database.sizes.slice(0, -1).every((bytes) => bytes >= BATCH_BYTES && bytes < BATCH_BYTES + PAGE));
    assert.ok(database.sizes.reduce((sum, bytes) => sum + bytes) >= 100e6);
  });
}

test('a write that failed is told to whoever adds or flushes, once and for all', async () => {
  const error = new EtlError('ETL_STATE_WRITE', 'full');
  let calls = 0;
  const database = { batch: async () => { calls++; throw new Error('full'); } };
  const batches = new PageBatches({ database, failed: () => error });
  await batches.add(Uint8Array.of(1), new Uint8Array(BATCH_BYTES));
  await batches.add(Uint8Array.of(1), new Uint8Array(BATCH_BYTES)).catch(() => undefined);
  await assert.rejects(batches.add(Uint8Array.of(1), new Uint8Array(1)), error);
  await assert.rejects(batches.flush(), error);
  assert.equal(calls, 1);
});
