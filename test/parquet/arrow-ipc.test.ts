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
