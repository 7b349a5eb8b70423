import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createPartitionTwin, type PartitionKernel } from '../../lib/kernels/twins/partition.ts';
import { random } from '../random.ts';
import { kernels } from './harness.ts';
import { writeChain, type Row } from './pages.ts';

const row = (user: number): Row => ({ lo: 1n, hi: 2n, region: 0, value: 3n, user: new Uint8Array(user) });

interface Segment {
  readonly at: number;
  readonly tag: bigint;
}

/** A chain of random segments whose tags are `tags`, at times several of one tag. */
function chainOf(memory: LinearMemory, tags: readonly bigint[], next: () => number): { first: number; segments: Segment[] } {
  const rows = tags.map(() => row(Math.floor(next() ** 4 * 3000)));
  const { first, segments } = writeChain(memory, rows, () => true, () => next() < 0.1);
  segments.forEach((at, i) => {
    const header = memory.view(at, 8);
    header.setBigUint64(0, header.getBigUint64(0, true) | (tags[i]! << 16n), true);
  });
  return { first, segments: segments.map((at, i) => ({ at, tag: tags[i]! })) };
}

/** Sources by the drawing of MERGE_SOURCES, each in one or several pieces; gives what the merge lists, in calls of `max`. */
class Merge {
  readonly #memory: LinearMemory;
  readonly #at: number;
  readonly #list: number;
  readonly #pieces: number[][];

  /** `pieces`: first pages of the chains of each source, one or more. */
  constructor(memory: LinearMemory, pieces: readonly (readonly number[])[]) {
    this.#memory = memory;
    this.#at = memory.slab(8 + 24 * pieces.length, 'merge');
    this.#list = memory.slab(4 * 5000, 'list');
    this.#pieces = pieces.map((list) => [...list]);
    memory.view(this.#at, 4).setUint32(0, pieces.length, true);
    pieces.forEach((_, number) => this.#turn(number, number));
  }

  /** Lists everything. */
  run(kernel: () => PartitionKernel, max: () => number): { listed: number[]; waited: number } {
    const listed: number[] = [];
    let waited = 0;
    const state = this.#memory.view(this.#at, 8 + 24 * this.#pieces.length);
    while (state.getUint32(0, true) > 0) {
      const most = max();
      this.#memory.u32(this.#list + 4 * most, 1)[0] = 0xabcdef01;
      const count = kernel().listSegments(this.#at, this.#list, most) >>> 0;
      assert.ok(count > 0 && count <= most, `${count} of ${most}`);
      assert.equal(this.#memory.u32(this.#list + 4 * most, 1)[0], 0xabcdef01, 'nothing is written past the list');
      listed.push(...this.#memory.u32(this.#list, count));
      if (state.getUint32(0, true) > 0 && state.getUint32(8 + 16, true) === 0) {
        waited++;
        this.#turn(0, state.getUint16(8 + 22, true));
      } else {
        assert.ok(count === most || state.getUint32(0, true) === 0, 'a list is full, or nothing is left');
      }
    }
    assert.ok(this.#pieces.every((list) => list.length === 0));
    return { listed, waited };
  }

  /** Gives the source `number`, whose record is `place`, its next chain. */
  #turn(place: number, number: number): void {
    const record = this.#memory.view(this.#at + 8 + 24 * place, 24);
    record.setUint32(8, 0, true);
    record.setUint32(16, this.#pieces[number]!.shift()!, true);
    record.setUint16(20, this.#pieces[number]!.length > 0 ? 1 : 0, true);
    record.setUint16(22, number, true);
  }
}

function randomMerge(seed: number) {
  const memory = new LinearMemory();
  const next = random(seed);
  const sources = [1, 2, 3, 8, 64][seed % 5]!;
  const tags: bigint[][] = Array.from({ length: sources }, () => []);
  const largest = 2n ** 48n - 1n;
  let owner = 0;
  let tag = BigInt(Math.floor(next() * 3));
  for (let i = 0; i < 1500; i++) {
    // A block is one source's; at times it has several segments, and inputs end.
    if (next() < 0.7) {
      owner = Math.floor(next() ** 2 * sources);
      tag += next() < 0.1 ? 2n ** 24n : 1n;
    }
    tags[owner]!.push(i > 1480 ? largest - BigInt(1500 - i) : tag);
  }
  const filled = tags.filter((list) => list.length > 0);
  const all: Segment[] = [];
  const pieces = filled.map((list) => {
    const firsts: number[] = [];
    for (let from = 0; from < list.length; ) {
      const to = next() < 0.4 ? list.length : from + 1 + Math.floor(next() * (list.length - from));
      const { first, segments } = chainOf(memory, list.slice(from, to), next);
      firsts.push(first);
      all.push(...segments);
      from = to;
    }
    return firsts;
  });
  const expected = all.sort((a, b) => (a.tag < b.tag ? -1 : a.tag > b.tag ? 1 : 0)).map(({ at }) => at); // stable
  const max = (): number => [1, 2, 7, 100, 4096][Math.floor(next() * 5)]!;
  return { memory, merge: new Merge(memory, pieces), expected, max, pieces: pieces.flat().length - pieces.length };
}

for (const [name, create] of kernels) {
  test(`${name}: segments of any number of chains come in order of input and block, wherever chains go on and lists end`, async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const { memory, merge, expected, max, pieces } = randomMerge(seed);
      const kernel = await create(memory);
      const { listed, waited } = merge.run(() => kernel, max);
      assert.deepEqual(listed, expected, `seed ${seed}`);
      assert.equal(waited, pieces, `seed ${seed}: the merge waits for each further chain`);
    }
  });

  test(`${name}: one chain is listed as it stands, whatever its segments say`, async () => {
    const memory = new LinearMemory();
    const { first, segments } = chainOf(memory, Array.from({ length: 300 }, (_, i) => BigInt((i * 7) % 5)), random(3));
    const kernel = await create(memory);
    assert.deepEqual(new Merge(memory, [[first]]).run(() => kernel, () => 50).listed, segments.map(({ at }) => at));
  });
}

test('kernel and twin can take turns on one merge', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { memory, merge, expected } = randomMerge(seed);
    const both = [await loadKernel<PartitionKernel>('partition', memory), createPartitionTwin(memory)];
    let calls = 0;
    assert.deepEqual(merge.run(() => both[calls++ % 2]!, () => 40).listed, expected, `seed ${seed}`);
  }
});
