/** The ids of a slice that do not fit the table are gone over in ranges: the same is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ID_BYTES, ID_PAGE_BYTES_MOST, ID_SCRATCH_BYTES } from '../../lib/kernels/id-page-layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { createIdPageTwin } from '../../lib/kernels/twins/id-pages.ts';
import { checkIds } from '../../lib/pipeline/check-ids.ts';
import { State } from '../../lib/state/state.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';

const SLICE = 5;
const IDS = 3000;

/** A page of so many ids of the slice. */
function makePage(seed: number, count: number): Uint8Array {
  const memory = new LinearMemory();
  const next = random(seed);
  const ids = memory.slab(count * ID_BYTES, 'ids');
  const bytes = memory.bytes(ids, count * ID_BYTES).map(() => Math.floor(next() * 256));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let id = 0; id < count; id++) view.setUint16(id * ID_BYTES + 6, (SLICE << 6) | Math.floor(next() * 64), true);
  memory.bytes(ids, bytes.length).set(bytes);
  const [page, scratch] = [memory.slab(ID_PAGE_BYTES_MOST, 'page'), memory.slab(ID_SCRATCH_BYTES, 'scratch')];
  return memory.bytes(page, createIdPageTwin(memory).packIds(ids, count, page, scratch)).slice();
}

test('a table that takes all ids of a slice, and one that does not, find the same', async (t) => {
  const state = await State.open(temporaryFolder(t), { create: true });
  const pages = [makePage(1, IDS), makePage(2, IDS)];
  const content = { version: '0', when: '', schema: {}, ids: 0, rows: { read: 0, counted: 0, duplicates: 0, rejected: 0 }, totals: [], regions: [] };
  const problems = async (expected: number, tableBytes?: number): Promise<string[]> => {
    const told: string[] = [];
    const found = await checkIds(state, expected, (problem) => told.push(problem), tableBytes);
    assert.equal(found.pages, state.committed(SLICE).length);
    return told;
  };
  for (const page of pages) await state.add(SLICE, page);
  await state.commit(content, []);
  for (const bytes of [undefined, 1 << 14, 1 << 15]) {
    assert.deepEqual(await problems(2 * IDS, bytes), []);
    assert.deepEqual(await problems(2 * IDS + 1, bytes), [`The pages have ${2 * IDS} ids, and ${2 * IDS + 1} were counted.`]);
  }
  await state.add(SLICE, pages[0]!);
  await state.commit(content, []);
  for (const bytes of [undefined, 1 << 14, 1 << 15]) {
    assert.deepEqual(await problems(3 * IDS, bytes), [`The slice ${SLICE} has ${3 * IDS} ids, ${IDS} of them more than once.`]);
  }
  await state.close();
});
