import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leastMemory, planMemory, type MemoryBudget } from '../../lib/core/memory-budget.ts';

const PAGE = 16384;
const RESIDENT = 55e6;

function* plans(): Generator<MemoryBudget> {
  for (let limit = leastMemory({ resident: RESIDENT }); limit < 2 ** 33; limit = Math.ceil(limit * 1.07)) {
    for (const jobs of [1, 2, 3, 8]) {
      for (const piped of [false, true]) yield planMemory({ limit, jobs, piped, resident: RESIDENT });
    }
  }
}

describe('planMemory', () => {
  test('the shares of a lane never add up to more than there is, at any limit', () => {
    let seen = 0;
    let seenOwn = 0;
    const jobsSeen = new Set<number>();
    for (const budget of plans()) {
      const { limit, linear, workspace, storeBytes, keepBytes, aggregateBytes, deferredBytes, distinctBytes } = budget;
      const about = JSON.stringify(budget);
      seen++;
      const { jobs, threadBytes } = budget;
      jobsSeen.add(jobs);
      const alone = jobs === 1;
      const lanes = alone ? { bytes: linear, workspace } : { bytes: threadBytes, workspace: budget.threadWorkspace };
      assert.ok(linear > 0 && linear + RESIDENT < limit && linear < 2 ** 32, about);
      assert.ok(jobs * threadBytes + workspace + (alone ? 0 : distinctBytes) <= linear && (threadBytes > 0) !== alone, about);
      assert.ok(lanes.workspace + storeBytes < lanes.bytes && keepBytes <= storeBytes, about);
      assert.ok(lanes.workspace + aggregateBytes + Math.max(deferredBytes, alone ? distinctBytes : 0) <= lanes.bytes, about);
      assert.ok(budget.idTableBytes + 2 * budget.chunkBytes < lanes.workspace, about);
      assert.ok(alone || budget.blocks * (budget.blockBytes + 2 ** 20) + budget.relayBytes + 5 * 2 ** 20 <= workspace, about);
      const own = budget.blocks === 0 ? budget.blockBytes + 2 ** 20 : 0;
      assert.ok(alone ? own === 0 : own + 4 * 2 ** 20 <= budget.threadWorkspace, about);
      seenOwn += Math.sign(own);
      assert.ok(budget.columnAreas * 4e6 + budget.fanIn * 2 * budget.runBufferBytes + distinctBytes < workspace, about);
      // Each partition has an open page, and there is room for more than that.
      assert.ok(storeBytes >= 2 * PAGE * 2 ** budget.partitionBits, about);
      for (const [share, value] of Object.entries(budget)) assert.ok(typeof value === 'boolean' || Number.isInteger(value) && (value > 0 || share.startsWith('thread') && alone || share === 'blocks' && !alone), `${share} in ${about}`);
    }
    assert.ok(seen > 400 && seenOwn > 100, `${seen} ${seenOwn}`);
    assert.deepEqual([...jobsSeen].sort(), [1, 2, 3, 4, 5, 6, 7, 8], 'all are met');
  });

  test('more memory is never less for anyone', () => {
    let before: MemoryBudget | undefined;
    for (const budget of plans()) {
      if (budget.jobs !== 1) continue;
      if (before && budget.frugal === before.frugal && budget.fanIn === before.fanIn) {
        for (const share of ['linear', 'storeBytes', 'idTableBytes', 'aggregateBytes', 'distinctBytes'] as const) {
          assert.ok(budget[share] >= before[share], `${share} at ${budget.limit}: ${budget[share]} < ${before[share]}`);
        }
      }
      before = budget;
    }
  });

  test('what does not fit costs jobs first, then it is an error that names the floor', () => {
    const jobsAt = (limit: number): number => planMemory({ limit, jobs: 8, resident: RESIDENT }).jobs;
    const floor = leastMemory({ resident: RESIDENT });
    assert.equal(jobsAt(floor), 1);
    assert.equal(jobsAt(4e9), 8);
    const between = [128e6, 200e6, 256e6, 400e6, 600e6].map(jobsAt);
    assert.deepEqual(between, [...between].sort((a, b) => a - b));
    assert.ok(new Set(between).size > 2, String(between));
    assert.throws(() => jobsAt(floor - 1), { code: 'ETL_USAGE', message: new RegExp(`at least ${Math.ceil((floor / 1e6 + 2) / 5) * 5}MB`) });
  });

  test('a process that is large already has linear memory at every limit that is enough for it', () => {
    for (const resident of [100e6, 150e6, 200e6, 300e6, 2000e6]) {
      for (let limit = leastMemory({ resident: resident }); limit < resident + 300e6; limit += 1e6) {
        const { linear } = planMemory({ limit, jobs: 1, resident });
        assert.ok(linear >= 14 * 2 ** 20 - PAGE, `${linear} of ${limit}, ${resident} resident`);
      }
    }
  });

  test('128 MB are enough, with room for a runtime that takes more than ours', () => {
    assert.ok(leastMemory({ resident: 64e6 }) <= 128e6, String(leastMemory({ resident: 64e6 })));
    assert.ok(leastMemory({ resident: 300e6 }) > 300e6, 'a process that is large already needs more');
  });
});
