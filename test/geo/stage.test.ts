import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import type { Pieces } from '../../lib/core/pieces.ts';
import type { Batch } from '../../lib/core/stage.ts';
import { createGeoStage } from '../../lib/geo/stage.ts';
import { BATCH_BYTES, BATCH_IP_LEN, BATCH_IP_PTR, BATCH_REGION, BATCH_STATUS, REJECT_MISSING_ID } from '../../lib/kernels/layout.ts';
import { openLookup, sideNames } from './sides.ts';

for (const name of sideNames) {
  test(`${name}: the same batches come out in order, at once or after a while, good rows with a region, rejected rows untouched`, async () => {
    const { table, side } = await openLookup(name, {});
    const { memory, kernel } = side;
    const address = Buffer.from('8.8.8.8');
    const at = memory.slab(address.length, 'text');
    memory.bytes(at, address.length).set(address);
    const batches = Array.from({ length: 10 }, (_, block): Batch => {
      const ptr = memory.slab(BATCH_BYTES, 'batch');
      memory.u32(ptr + BATCH_IP_PTR, 4).set([at, at, at, at]);
      memory.u32(ptr + BATCH_IP_LEN, 4).set([address.length, 0, address.length, address.length]);
      memory.u32(ptr + BATCH_STATUS, 4).set([0, 0, REJECT_MISSING_ID, 0]);
      memory.u32(ptr + BATCH_REGION, 4).fill(4711);
      return { ptr, rows: 3, input: { number: 0, name: 'test' }, block };
    });
    const out: Batch[] = [];
    const blocks = [0, 5].map((from): Pieces<Batch> => {
      const left = batches.slice(from, from + 5);
      return { next: () => (left.length % 2 === 0 ? left.shift() : Promise.resolve(left.shift())) };
    });
    await pipeline(Readable.from(blocks), createGeoStage({ memory, kernel, table }), async (source: AsyncIterable<Pieces<Batch>>) => {
      for await (const each of source) {
        for (let batch = await each.next(); batch; batch = await each.next()) out.push(batch);
      }
    });
    assert.ok(out.length === batches.length && out.every((batch, i) => batch === batches[i]));
    for (const { ptr } of out) {
      assert.deepEqual([...memory.u32(ptr + BATCH_REGION, 4)], [table.regions.indexOf('US'), table.unknown, 4711, 4711]);
    }
  });

  test(`${name}: an address may be the last bytes of linear memory`, async () => {
    const { table, side } = await openLookup(name, {});
    const { memory, kernel } = side;
    const batch = memory.slab(BATCH_BYTES, 'batch');
    memory.bytes(batch, BATCH_BYTES).fill(0);
    memory.slab(memory.memory.buffer.byteLength - memory.size, 'the rest');
    const end = memory.memory.buffer.byteLength;
    const texts = ['8.8.8.8', '2001:4860:4860::8888', '2001:4860:4860::8888%eth0', ' 8.8.8.8 ', '1', ''];
    for (const [i, text] of texts.entries()) {
      const at = end - text.length;
      memory.bytes(at, text.length).set(Buffer.from(text));
      memory.u32(batch + BATCH_IP_PTR, 1)[0] = at;
      memory.u32(batch + BATCH_IP_LEN, 1)[0] = text.length;
      kernel.lookupBatch(table.ptr, batch, 1);
      assert.equal(table.regions[memory.u32(batch + BATCH_REGION, 1)[0]!], ['US', 'CA', 'CA', 'US', 'ZZ', 'ZZ'][i], text);
    }
  });
}
