/** The ids of a slice that do not fit the table are gone over in ranges: the same is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ID_BYTES, ID_PAGE_BYTES_MOST, ID_SCRATCH_BYTES } from '../../lib/kernels/id-page-layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { createIdPageTwin } from '../../lib/kernels/twins/id-pages.ts';
import { PART_BITS } from '../../lib/dedup/id-files.ts';
import { IdStore } from '../../lib/dedup/id-store.ts';
import { PageIndex } from '../../lib/dedup/page-index.ts';
import { checkIds } from '../../lib/pipeline/check-ids.ts';
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
  const folder = temporaryFolder(t);
  const pages = [makePage(1, IDS), makePage(2, IDS)];
  const indexOf = (added: readonly Uint8Array[]): PageIndex => {
    const store = new IdStore({ folder, index: PageIndex.empty, commit: 1, partBits: PART_BITS.one });
    for (const page of added) store.add(SLICE, page);
    const index = store.next();
    store.close({ committed: true });
    return index;
  };
  const problems = async (index: PageIndex, tableBytes?: number): Promise<string[]> => {
    const told: string[] = [];
    const found = await checkIds({ folder, index, tell: (problem) => told.push(problem), ...(tableBytes && { tableBytes }) });
    assert.deepEqual(found, { pages: index.pages, ids: index.ids });
    return told;
  };
  const good = indexOf(pages);
  for (const bytes of [undefined, 1 << 14, 1 << 15]) assert.deepEqual(await problems(good, bytes), []);
  const twice = indexOf([...pages, pages[0]!]);
  for (const bytes of [undefined, 1 << 14, 1 << 15]) {
    assert.deepEqual(await problems(twice, bytes), [`The slice ${SLICE} should have ${3 * IDS} ids in 3 pages, and they have ${2 * IDS} different ones.`]);
  }
});
