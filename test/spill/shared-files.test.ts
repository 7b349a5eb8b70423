import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import { RUNS_PER_FILE, SharedFiles } from '../../lib/spill/shared-files.ts';
import { SpillSpace } from '../../lib/spill/spill-space.ts';
import { temporaryFolder } from '../temporary.ts';

function setUp(context: TestContext): { spill: SpillSpace; files: SharedFiles; opened: () => number } {
  const counters = newCounters();
  const spill = new SpillSpace({ folder: temporaryFolder(context), counters });
  return { spill, files: new SharedFiles(spill, 'runs'), opened: () => counters.spilledFiles };
}

test('many sections take few files, and each reads what it wrote', async (context) => {
  const { spill, files, opened } = setUp(context);
  const count = 3 * RUNS_PER_FILE - 1;
  const sections = [];
  for (let i = 0; i < count; i++) {
    const section = await files.create();
    for (let part = 0; part < 3; part++) await section.append([Buffer.from(`section ${i} `), Buffer.from(`part ${part}.`)]);
    section.complete();
    sections.push(section);
  }
  assert.equal(opened(), 3);
  for (const [i, section] of sections.entries()) {
    const text = [0, 1, 2].map((part) => `section ${i} part ${part}.`).join('');
    const bytes = Buffer.alloc(section.size);
    await section.read(bytes, 0);
    assert.equal(bytes.toString(), text);
    await section.read(bytes.subarray(0, 4), 5);
    assert.equal(bytes.toString('utf8', 0, 4), text.slice(5, 9));
  }
  // Space comes back file by file, with the last section of each.
  let before = spill.bytes;
  for (const [i, section] of sections.entries()) {
    await section.close();
    await section.close();
    const freed = (i + 1) % RUNS_PER_FILE === 0 || i === count - 1;
    assert.equal(spill.bytes < before, freed, `section ${i}`);
    before = spill.bytes;
  }
  assert.equal(spill.bytes, 0);
});

test('two that are written at once are in two files; one that is given up lets the next have its file', async (context) => {
  const { spill, files, opened } = setUp(context);
  const first = await files.create();
  const second = await files.create();
  assert.equal(opened(), 2);
  await Promise.all([first.append([Buffer.from('first')]), second.append([Buffer.from('second')])]);
  first.complete();
  const third = await files.create(); // the second's file is being written, the first's is no more the latest
  assert.equal(opened(), 3);
  await second.close();
  await third.append([Buffer.from('third')]);
  third.complete();
  const fourth = await files.create();
  assert.equal(opened(), 3);
  await fourth.append([Buffer.from('given up')]);
  await fourth.close();
  const fifth = await files.create();
  await fifth.append([Buffer.from('fifth')]);
  const bytes = Buffer.alloc(5);
  await fifth.read(bytes, 0);
  assert.deepEqual([bytes.toString(), opened()], ['fifth', 3]);
  for (const section of [first, third, fifth]) await section.close();
  assert.equal(spill.bytes, 0);
  await files.create().then((section) => section.close());
  assert.equal(opened(), 4, 'a file that was closed is not used again');
});
