/** Slabs and pages against a map of owners, page by page: no overlap ever, and nothing refused that could be had. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_FREE_AT, PAGE_BYTES } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { random } from '../random.ts';

const FIRST = FIRST_FREE_AT / PAGE_BYTES;

/** What the memory should look like: who holds which page. */
class Model {
  readonly held: Uint8Array;
  readonly workspace: number;

  constructor(limit: number, workspace: number) {
    this.held = new Uint8Array(limit);
    this.workspace = workspace;
  }

  take(at: number, pages: number, what: string): void {
    assert.ok(at % PAGE_BYTES === 0 && at >= FIRST_FREE_AT, `${what}: address ${at}`);
    const first = at / PAGE_BYTES;
    assert.ok(first + pages <= this.held.length, `${what}: ${first} + ${pages} is past the limit of ${this.held.length} pages`);
    assert.ok(this.held.subarray(first, first + pages).every((owner) => owner === 0), `${what}: ${first} + ${pages} is held already`);
    this.held.fill(1, first, first + pages);
  }

  give(at: number, pages: number): void {
    this.held.fill(0, at / PAGE_BYTES, at / PAGE_BYTES + pages);
  }

  /** The most free pages side by side at `from` or above. */
  longest(from = FIRST): number {
    let longest = 0;
    for (let page = from, run = 0; page < this.held.length; page++) {
      run = this.held[page] === 0 ? run + 1 : 0;
      longest = Math.max(longest, run);
    }
    return longest;
  }
}

test('random slabs and pages: none overlap, only what does not fit is refused, all can be had again', () => {
  const rare = { madeOfPages: 0, noSlab: 0, noPage: 0, pageOfSlab: 0 };
  for (let seed = 1; seed <= 400; seed++) {
    const next = random(seed);
    const below = (count: number): number => Math.floor(next() * count);
    const limit = FIRST + 1 + below(next() < 0.5 ? 40 : 300);
    const workspace = below(limit + 4);
    const memory = new LinearMemory({ limit: limit * PAGE_BYTES + below(PAGE_BYTES), workspace: workspace * PAGE_BYTES });
    const model = new Model(limit, workspace);
    const slabs: { at: number; bytes: number; pages: number }[] = [];
    const pages: number[] = [];
    const ever = new Set<number>();
    const giveSlab = (): void => {
      const { at, bytes, pages: count } = slabs.splice(below(slabs.length), 1)[0]!;
      memory.giveSlab(at, bytes);
      model.give(at, count);
    };
    const givePage = (): void => {
      const page = pages.splice(below(pages.length), 1)[0]!;
      memory.givePage(page);
      model.give(page, 1);
    };
    // Phases in which taking or giving prevails, slabs or pages.
    for (let phase = 0; phase < 6; phase++) {
      const [taking, paging] = [next(), next()];
      for (let step = 0; step < 60; step++) {
        const what = `seed ${seed}, phase ${phase}, step ${step}`;
        if (next() < taking) {
          if (next() < paging) {
            const free = model.longest(Math.max(workspace, FIRST)) > 0;
            assert.equal(memory.refillPool(), free, what);
            if (!free) {
              rare.noPage++;
              assert.throws(() => memory.takePage(), { code: 'ETL_MEMORY', hint: /--memory/ });
              continue;
            }
            const page = memory.takePage();
            model.take(page, 1, what);
            assert.ok(page >= workspace * PAGE_BYTES, `${what}: a page in the workspace`);
            if (ever.has(page)) rare.pageOfSlab++;
            pages.push(page);
          } else {
            const count = 1 + below(next() < 0.7 ? 4 : limit);
            const bytes = count * PAGE_BYTES - below(PAGE_BYTES);
            const fits = model.longest() >= count;
            const at = memory.trySlab(bytes, 'test');
            assert.equal(at !== 0, fits, `${what}: a slab of ${count} pages`);
            if (at === 0) {
              rare.noSlab++;
              assert.throws(() => memory.slab(bytes, 'test'), { code: 'ETL_MEMORY', hint: /--memory/ });
              continue;
            }
            model.take(at, count, what);
            if (at >= workspace * PAGE_BYTES && memory.size >= limit * PAGE_BYTES) rare.madeOfPages++;
            for (let page = 0; page < count; page++) ever.add(at + page * PAGE_BYTES);
            slabs.push({ at, bytes, pages: count });
          }
        } else if (slabs.length > 0 && (pages.length === 0 || next() >= paging)) {
          giveSlab();
        } else if (pages.length > 0) {
          givePage();
        }
        assert.equal(memory.pagesInUse, pages.length, what);
        assert.equal(memory.slabsInUse, slabs.length, what);
      }
    }
    while (slabs.length > 0) giveSlab();
    while (pages.length > 0) givePage();
    const all = (limit - FIRST) * PAGE_BYTES;
    const whole = memory.trySlab(all, 'all of it');
    assert.equal(whole, FIRST_FREE_AT, `seed ${seed}: all can be had again as a slab`);
    assert.equal(memory.trySlab(1, 'more'), 0);
    assert.equal(memory.refillPool(), false);
    memory.giveSlab(whole, all);
    let count = 0;
    while (memory.refillPool()) {
      model.take(memory.takePage(), 1, `seed ${seed}, the end`);
      count++;
    }
    assert.equal(count, Math.max(limit - Math.max(workspace, FIRST), 0), `seed ${seed}: and as pages`);
  }
  for (const [path, count] of Object.entries(rare)) assert.ok(count > 100, `${path}: ${count} times`);
});

test('what nobody holds cannot be given: twice, in part, or in another size', () => {
  const memory = new LinearMemory({ limit: 1 << 20, workspace: 1 << 18 });
  const at = memory.slab(3 * PAGE_BYTES, 'test');
  const neighbour = memory.slab(1, 'test');
  for (const [address, bytes] of [[at, PAGE_BYTES], [at, 4 * PAGE_BYTES], [at + PAGE_BYTES, 2 * PAGE_BYTES], [0, 1], [neighbour + PAGE_BYTES, 1]] as const) {
    assert.throws(() => memory.giveSlab(address, bytes), { code: 'ETL_INTERNAL' }, `${bytes} bytes at ${address}`);
  }
  memory.giveSlab(at, 3 * PAGE_BYTES - 1);
  assert.throws(() => memory.giveSlab(at, 3 * PAGE_BYTES), { code: 'ETL_INTERNAL' });
  memory.giveSlab(neighbour, 0);
  assert.equal(memory.slabsInUse, 0);
});

test('pages leave the workspace alone, slabs begin in it', () => {
  const memory = new LinearMemory({ limit: 32 * PAGE_BYTES, workspace: 16 * PAGE_BYTES });
  const pages: number[] = [];
  while (memory.refillPool()) pages.push(memory.takePage());
  assert.deepEqual(pages.sort((a, b) => a - b), Array.from({ length: 16 }, (_, i) => (16 + i) * PAGE_BYTES));
  assert.equal(memory.slab(12 * PAGE_BYTES, 'workspace'), FIRST_FREE_AT);
  assert.equal(memory.trySlab(1, 'more'), 0);
});

test('a workspace larger than the limit is the limit', () => {
  const memory = new LinearMemory({ limit: 8 * PAGE_BYTES, workspace: 20 * PAGE_BYTES });
  assert.equal(memory.trySlab(5 * PAGE_BYTES, 'test'), 0);
  assert.equal(memory.refillPool(), false);
  assert.notEqual(memory.trySlab(4 * PAGE_BYTES, 'test'), 0);
});

test('thirty thousand free pages, no two side by side, become a slab and pages again without ado', () => {
  const memory = new LinearMemory({ limit: FIRST_FREE_AT + 60_000 * PAGE_BYTES });
  const pages: number[] = [];
  while (memory.refillPool()) pages.push(memory.takePage());
  const give = (rest: number): void => pages.forEach((page) => page / PAGE_BYTES % 2 === rest && memory.givePage(page));
  give(0);
  for (let i = 0; i < 100; i++) assert.equal(memory.trySlab(2 * PAGE_BYTES, 'test'), 0);
  for (let i = 0; i < 1000; i++) memory.giveSlab(memory.slab(PAGE_BYTES, 'test'), PAGE_BYTES);
  for (let i = 0; i < 30_000; i++) memory.takePage();
  assert.equal(memory.refillPool(), false);
  give(0);
  give(1);
  assert.equal(memory.slab(60_000 * PAGE_BYTES, 'test'), FIRST_FREE_AT);
});

test('arenas: each thread hands out its own range, and pages may end in another arena than they came from', () => {
  const main = new LinearMemory({ limit: 40 * PAGE_BYTES, workspace: 8 * PAGE_BYTES });
  const arenas = [main.arena(16 * PAGE_BYTES, 4 * PAGE_BYTES), main.arena(8 * PAGE_BYTES, 0)];
  const [first, second] = arenas.map((arena) => new LinearMemory(structuredClone(arena))) as [LinearMemory, LinearMemory];
  assert.equal(main.limit, 16 * PAGE_BYTES);
  assert.deepEqual(arenas.map(({ from, to }) => [from / PAGE_BYTES, to / PAGE_BYTES]), [[24, 40], [16, 24]]);
  assert.equal(main.memory.buffer.byteLength, 40 * PAGE_BYTES, 'all of it is there at once');

  const owners = new Map<number, string>();
  for (const [name, memory] of Object.entries({ main, first, second })) {
    while (memory.refillPool()) {
      const page = memory.takePageIfAny();
      assert.ok(!owners.has(page), `${name}: page ${page}`);
      assert.ok(page >= (name === 'main' ? FIRST_FREE_AT : name === 'first' ? arenas[0]!.from + 4 * PAGE_BYTES : arenas[1]!.from));
      owners.set(page, name);
    }
    memory.assertHolds(arenas[0]!.from, PAGE_BYTES, 'what another thread has');
  }
  assert.equal(owners.size, 40 - FIRST - 4 - (8 - FIRST), 'all but the workspaces');

  for (const page of owners.keys()) second.givePage(page);
  assert.equal(first.pagesInUse + second.pagesInUse + main.pagesInUse, 0);
  assert.equal(second.freeBytes, owners.size * PAGE_BYTES);
  assert.equal(first.freeBytes, 0);
  assert.equal(second.trySlabOfPages(12 * PAGE_BYTES, 'pages of another arena'), arenas[0]!.from + 4 * PAGE_BYTES);
  let pages = 0;
  while (second.refillPool()) {
    second.takePage();
    pages++;
  }
  assert.equal(pages, owners.size - 12, 'those of other arenas come back from the free list, too');
  assert.equal(first.trySlab(4 * PAGE_BYTES, 'workspace'), arenas[0]!.from);
  assert.equal(first.trySlab(PAGE_BYTES, 'nothing is left'), 0);
  assert.throws(() => main.arena(20 * PAGE_BYTES, 0), { code: 'ETL_MEMORY' });
});
