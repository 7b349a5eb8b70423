/** The IPC bytes that we lay out by hand, read by Apache Arrow's own library. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableFromIPC } from 'apache-arrow';
import { ArrowIpc, type Column } from '../../lib/parquet/arrow-ipc.ts';
import { randomRows, resultBatch } from './batches.ts';

test('apache-arrow reads every batch, larger and smaller than the one before', () => {
  const ipc = new ArrowIpc();
  for (const [seed, count] of [[1, 0], [2, 1], [3, 2], [4, 700], [5, 3], [6, 5000], [7, 64]] as const) {
    const rows = randomRows(seed, count, 'US');
    const batch = resultBatch(rows);
    const columns: Column[] = [
      { name: 'user_id', offsets: batch.userOffsets, bytes: batch.userBytes },
      { name: 'ünï', values: batch.totals },
      { name: 'log_count', values: batch.counts },
    ];
    const stream = ipc.layOut(batch.rows, columns);
    const bytes = new Uint8Array(stream.bytes + 16).fill(0xaa).subarray(8, -8); // as found in reused memory
    stream.write(bytes);
    batch.release(); // all was copied
    const table = tableFromIPC(bytes);
    assert.deepEqual(table.schema.fields.map((field) => `${field.name} ${String(field.type)} ${field.nullable}`),
      ['user_id Utf8 false', 'ünï Int64 false', 'log_count Int64 false']);
    assert.equal(table.numRows, count);
    // Arrow's text decoder drops a byte order mark, so it is dropped from what is expected too.
    const text = (user: Uint8Array): string => new TextDecoder().decode(user);
    assert.deepEqual([...table.getChildAt(0)!], rows.map(({ user }) => text(user)), `seed ${seed}`);
    assert.deepEqual([...table.getChildAt(1)!], rows.map(({ total }) => total));
    assert.deepEqual([...table.getChildAt(2)!], rows.map(({ count }) => count));
  }
});

test('columns may be lists', () => {
  const lists = { offsets: Int32Array.of(0, 2, 2, 5), offsets2: Int32Array.of(0, 0, 1, 1) };
  const columns: Column[] = [
    { name: 'key', values: BigInt64Array.of(1n, 2n, 3n, 4n) },
    { name: 'numbers', offsets: lists.offsets, items: { name: 'element', values: BigInt64Array.of(5n, -6n, 7n, 8n, 9n, 10n) } },
    { name: 'texts', offsets: lists.offsets2, items: { name: 'element', offsets: Int32Array.of(0, 3, 9), bytes: Buffer.from('onebehind') } },
  ];
  const stream = new ArrowIpc().layOut(3, columns);
  const bytes = new Uint8Array(stream.bytes).fill(0xaa);
  stream.write(bytes);
  const table = tableFromIPC(bytes);
  assert.deepEqual(table.schema.fields.map((field) => `${field.name} ${String(field.type)} ${field.nullable}`),
    ['key Int64 false', 'numbers List<Int64> false', 'texts List<Utf8> false']);
  const rows = table.toArray().map((row) => [row.key, [...row.numbers], [...row.texts]]);
  assert.deepEqual(rows, [[1n, [5n, -6n], []], [2n, [], ['one']], [3n, [7n, 8n, 9n], []]]);
});
