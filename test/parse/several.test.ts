/** However many stages take turns over the blocks: rows, their tags, rejects in their order, counts and errors of one alone. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { Readable } from 'node:stream';
import type { Block } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { compileKernels } from '../../lib/kernels/loader.ts';
import { OrderedRejects, RejectTurns } from '../../lib/parse/ordered-rejects.ts';
import { Relay } from '../../lib/parse/relay.ts';
import { BlockRing } from '../../lib/source/block-ring.ts';
import { startThread } from '../../lib/workers/start-thread.ts';
import { random } from '../random.ts';
import { implementations, TestBlocks, type TestInput } from './blocks.ts';
import type { FromThread, ThreadData } from './parse-thread.ts';
import { alone, together, type Together } from './several.ts';

const wasm = implementations[0]!.create;

/** Who waits for a cell does not keep the process alive. */
function keepAlive(t: TestContext): void {
  const timer = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(timer));
}

const pieces = [
  'id,user,p,1\n', 'id,user,p,2\r\n', 'id,"us\ner",p,3\r', '"id ""4""",u,p,1.5\n', '\n', '\r\n', '\r', 'one,two\n', '"a"b,u,p,1\n', ',u,p,1\n', 'i,u,p,x\n',
  `i,"${'long\r\n'.repeat(30)}",p,1\n`, `${'y'.repeat(130)},u,p,1\r\n`, 'i,u,p,1.005\n', 'é,日本,p,1\n', 'i,"open,p,1\n', 'i,"u",p,1\n', 'i,u,p,"1"\n', `j,"${'text\n'.repeat(30)}`, `j,"${'i,u,p,1\n'.repeat(20)}`,
];

function hostileText(next: () => number): string {
  const pick = (): string => pieces[Math.floor(next() * pieces.length)]!;
  let text = (next() < 0.3 ? '\ufeff' : '') + (next() < 0.3 ? '\r\n\n' : '') + (next() < 0.5 ? 'i,u,p,v\r\n' : `v,"${'x,\n'.repeat(15)}",i,p,u\n`);
  for (let i = Math.floor(next() * 40); i > 0; i--) text += pick();
  if (next() < 0.3) text += 'id,user,p,7';
  return text;
}

function compare(actual: Together, expected: Together, what: string): void {
  assert.equal(actual.error, expected.error, what);
  if (expected.error !== undefined) return;
  assert.deepEqual(new Map([...actual.rows].sort()), new Map([...expected.rows].sort()), what);
  assert.equal(actual.rejects, expected.rejects, what);
  assert.deepEqual(actual.counters, expected.counters, what);
}

test('random hostile inputs in blocks of few bytes, by 1, 2, 3 and 8 stages', async (t) => {
  keepAlive(t);
  let rejected = 0;
  let severalWorked = 0;
  for (let seed = 1; seed <= 24; seed++) {
    const next = random(seed);
    const inputs: TestInput[] = Array.from({ length: 1 + Math.floor(next() * 3) }, (_, i) => ({ name: `${i}.csv`, bytes: Buffer.from(hostileText(next)) }));
    const size = [1, 2, 3, 7][seed % 8] ?? 1 + Math.floor(next() * 200);
    const options = { size, maxRecordBytes: 120, next };
    const kernelOf = implementations[seed % 2]!.create;
    const expected = await alone(kernelOf, inputs, options);
    rejected += expected.rejects.length;
    for (const count of [1, 2, 3, 8]) {
      const actual = await together(kernelOf, inputs, count, options);
      compare(actual, expected, `seed ${seed}, ${count} stages`);
      if (actual.shares.filter((blocks) => blocks > 0).length > 1) severalWorked++;
    }
  }
  assert.ok(rejected > 5000, `${rejected} characters of rejects`);
  assert.ok(severalWorked > 40, `${severalWorked} runs had several stages at work`);
});

test('the first error in the order of the input is told, whoever meets one', async (t) => {
  keepAlive(t);
  const good = `i,u,p,v\n${'1,2,3,4\n'.repeat(20)}`;
  const lost = `${good}1,"${'x,\n'.repeat(100)}`;
  const long = `${good}1,"${'x\n'.repeat(20)}`;
  const cases = [
    [good, 'a,b\n1,2\n', 'c\n'], [lost, 'a,b\n'], [good, '\n\n', 'a,b\n'], [good, `i,u,p,v,${'w'.repeat(300)}`, lost], [good, 'i,u,p"x,v', 'a'],
    [long, lost, 'a'], ['i,u,p,v\n"', lost, lost],
  ];
  for (const [i, texts] of cases.entries()) {
    const inputs = texts.map((text, number) => ({ name: `${number}.csv`, bytes: Buffer.from(text) }));
    for (const size of [1, 5, 64, 1000]) {
      const next = random(i * 100 + size);
      const expected = await alone(wasm, inputs, { size, maxRecordBytes: 100, next });
      assert.ok(expected.error, `case ${i}`);
      for (const count of [1, 2, 3, 8]) {
        compare(await together(wasm, inputs, count, { size, maxRecordBytes: 100, next }), expected, `case ${i}, ${count} stages, blocks of ${size}`);
      }
    }
  }
});

test('records of a megabyte, more fields than the index holds, and rejects beyond what is gathered', async (t) => {
  keepAlive(t);
  const wide = `1${','.repeat(300_000)}`;
  const rejects = `${`${'r'.repeat(3000)}\n`.repeat(300)}`;
  const text = `i,u,p,v\n${rejects}a,"${'u\n'.repeat(4000)}",p,1\n${wide}\nb,u,p,2\n"${'""'.repeat(520_000)}",u,p,3\n${'z'.repeat(1_100_000)}\n${rejects}c,u,p,4\n${'i,u,p,5\n'.repeat(100_000)}`;
  const inputs = [{ name: 'a.csv', bytes: Buffer.from(text) }, { name: 'b.csv', bytes: Buffer.from(`i,u,p,v\n${rejects}`) }];
  for (const size of [100_000, 700_000]) {
    const expected = await alone(wasm, inputs, { size, next: random(1) });
    for (const count of [1, 3]) compare(await together(wasm, inputs, count, { size, next: random(2) }), expected, `${count} stages, blocks of ${size}`);
  }
});

test('in threads', async () => {
  const next = random(11);
  let text = 'i,u,p,v\r\n';
  while (text.length < 400_000) text += next() < 0.8 ? pieces[0]! : pieces[Math.floor(next() * pieces.length)]!;
  const inputs = ['a.csv', 'b.csv'].map((name) => ({ name, bytes: Buffer.from(text) }));
  const size = 1000;
  const expected = await alone(wasm, inputs, { size, next });
  const memory = new LinearMemory({ limit: 64 << 20 });
  const [ring, relay, turns] = [BlockRing.create(memory), Relay.create(memory, 1 << 21), RejectTurns.create(memory)];
  const modules = await compileKernels(['parse']);
  const threads = [0, 1, 2].map(() => {
    const workerData: ThreadData = {
      arena: memory.arena(4 << 20, 4 << 20), modules, ring: ring.at, relay: relay.at, turns: turns.at,
      inputs: inputs.map(({ name }, number) => ({ number, name })),
    };
    return startThread(new URL('./parse-thread.ts', import.meta.url), { workerData });
  });
  const counts = { read: 0, rejected: 0, batches: 0 };
  const tags = new Set<string>();
  let rejects = '';
  const worked = threads.map(async (thread) => {
    thread.on('message', (message: FromThread) => {
      if ('lines' in message) {
        rejects += message.lines;
        thread.postMessage('appended');
        return;
      }
      counts.read += message.read;
      counts.rejected += message.rejected;
      for (const tag of message.tags) tags.add(tag);
    });
    await once(thread, 'exit');
  });
  const blocks = new TestBlocks(memory, size, 1 << 20, 8);
  await Promise.all([ring.publish(Readable.from(blocks.of(inputs), { highWaterMark: 1 })), ...worked]);
  relay.assertEnded();
  assert.equal(rejects, expected.rejects);
  const { read, rejected } = expected.counters as { read: number; rejected: number };
  assert.deepEqual([counts.read, counts.rejected], [read, rejected]);
  assert.deepEqual([...tags].sort(), [...expected.rows.keys()].sort());
});

test('a stopped ring and relay end whoever waits; a destroyed stream does not wait for its block', async (t) => {
  keepAlive(t);
  const memory = new LinearMemory();
  const [ring, relay, turns] = [BlockRing.create(memory), Relay.create(memory, 1 << 21), RejectTurns.create(memory)];
  const waiting = ring.blocks([]);
  const failed = assert.rejects(waiting.toArray(), { code: 'ETL_ABORTED' });
  const late = new OrderedRejects(turns, async () => undefined);
  late.begin(7);
  late.write({
    file: 'a', line: 1, byte: 0, fieldByte: undefined, column: undefined, code: 'bad_value', rule: undefined, message: '', raw: '', rawBase64: undefined,
    truncated: false, row: undefined,
  });
  assert.equal(late.end(), undefined, 'goes on beside');
  const all = [assert.rejects(relay.take(3)!, { code: 'ETL_ABORTED' }), assert.rejects(late.drained(), { code: 'ETL_ABORTED' })];
  const gone = ring.blocks([]);
  gone.read();
  gone.destroy();
  await once(gone, 'close');
  await failed;
  await assert.rejects(ring.publish(Readable.from([])), { code: 'ETL_ABORTED' });
  for (const each of [relay, turns]) each.stop();
  await Promise.all(all);
  assert.throws(() => relay.take(0), { code: 'ETL_ABORTED' });
});

test('a source that fails stops the takers, and is told; one that is idle is destroyed when the ring stops', async (t) => {
  keepAlive(t);
  const memory = new LinearMemory();
  const broken = BlockRing.create(memory);
  const taken = assert.rejects(broken.blocks([]).toArray(), { code: 'ETL_ABORTED' });
  await assert.rejects(broken.publish(Readable.from((async function* () { throw new Error('no disk'); })())), /no disk/);
  await taken;
  const ring = BlockRing.create(memory);
  const idle = new Readable({ objectMode: true, read() {} });
  const publishing = assert.rejects(ring.publish(idle), { code: 'ETL_ABORTED' });
  ring.stop();
  await publishing;
  assert.ok(idle.destroyed);
});

test('a block is claimed when it is asked for, released when it was given back, and its slot waits for that', async (t) => {
  keepAlive(t);
  const memory = new LinearMemory();
  const ring = BlockRing.create(memory);
  const blocks = new TestBlocks(memory, 1, 0, 80);
  const publishing = ring.publish(Readable.from(blocks.of([{ name: 'a', bytes: Buffer.alloc(150) }]), { highWaterMark: 1 }));
  const iterator = (ring.blocks([{ number: 0, name: 'a' }]) as AsyncIterable<Block>)[Symbol.asyncIterator]();
  const first = (await iterator.next()).value as Block;
  for (let sequence = 1; sequence < 64; sequence++) {
    const block = (await iterator.next()).value as Block;
    assert.deepEqual([block.sequence, block.index, block.offset, block.length, block.last], [sequence, sequence, sequence, 1, false]);
    block.release();
  }
  const next = iterator.next();
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  assert.equal(blocks.released, 63, 'all but the first, whose slot is the next');
  first.release();
  assert.throws(() => first.release(), { code: 'ETL_INTERNAL' });
  let last = (await next).value as Block;
  assert.equal(last.sequence, 64);
  last.release();
  for (let result = await iterator.next(); !result.done; result = await iterator.next()) {
    last = result.value as Block;
    last.release();
  }
  await publishing;
  assert.deepEqual([last.sequence, last.last, blocks.released], [149, true, 150]);
});

test('turns go by, however far blocks are done ahead of the first', async (t) => {
  keepAlive(t);
  const turns = RejectTurns.create(new LinearMemory());
  const next = random(3);
  const order = Array.from({ length: 3000 }, (_, sequence) => sequence).sort((a, b) => a - b + (next() - 0.5) * 400);
  const seen: number[] = [];
  const late = Array.from({ length: 300 }, async (_, i) => {
    await turns.wait(i * 10);
    seen.push(i * 10);
    await turns.done(i * 10);
  });
  const done = order.filter((sequence) => sequence % 10 !== 0).map((sequence) => turns.done(sequence));
  assert.ok(done.some((promise) => promise === undefined) && done.some((promise) => promise !== undefined), 'some are too far ahead');
  await Promise.all([...late, ...done]);
  assert.equal(turns.wait(3000), undefined);
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
});
