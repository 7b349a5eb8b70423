/** The stage: every cut into blocks gives the same rows, rejects and counts; nothing is lost, held or let go too early. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { newCounters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import { RAW_TEXT_BYTES, type Reject, type RejectSink } from '../../lib/core/rejects.ts';
import type { Pieces } from '../../lib/core/pieces.ts';
import type { Batch, Block } from '../../lib/core/stage.ts';
import { BATCH_ROWS, MAX_USER_BYTES } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { createParseTwin, type ParseKernel } from '../../lib/kernels/twins/parse.ts';
import { createParseStage } from '../../lib/parse/stage.ts';
import { random } from '../random.ts';
import { piecesOf } from '../pieces.ts';
import { columns, implementations, rejectsInto, runStage, TestBlocks, type Outcome, type TestInput } from './blocks.ts';

const input = (text: string, name = 'a.csv'): TestInput => ({ name, bytes: Buffer.from(text) });

/** All that must not depend on the blocks: everything but the batches. */
function essence({ rows, rejects, counters }: Outcome): unknown {
  return { rows, rejects, counters: { ...counters, rejectedBy: [...counters.rejectedBy].sort() } };
}

const everything = [
  '\ufeffx,v,"i",u,p\r\n',
  '-,1.5,id1,user1,1.2.3.4\n',
  '\r\n',
  '-,"2","id ""2""","us\r\ner","5.6.7.8"\r',
  '-,3,id3,user3\n',
  '\n\r\r\n',
  '"\n\r\n\r",4,id"4,user4,p\n',
  '-,5,"id5"x,user5,p\r\n',
  '-,6,,user6,p\n',
  '-,7,id7,"",p\n',
  '-,,id8,user8,p\n',
  '-,nine,id9,ué,p\n',
  '-,1.005,id10,user10,p\n',
  '-,99999999999999999999,id11,user11,p\n',
  `-,1,${'long'.repeat(20)},"user\n${','.repeat(60)}",p\r\n`,
  '-,-12.30,id13,日本,\r',
  '"",0,id14,user14,"p"\n',
  '-,15,"id15,user15,p\n',
].join('');

test('rows and rejects, exactly', async () => {
  for (const { create, name } of implementations) {
    const { rows, rejects, counters } = await runStage(create, [input(everything)], 1 << 20, { maxRecordBytes: 100 });
    const good = rows.filter((row) => row.status === 'none').map(({ id, user, ip, value }) => [id, Buffer.from(user, 'latin1').toString(), ip, value]);
    assert.deepEqual(good, [
      ['id1', 'user1', '1.2.3.4', 150n],
      ['id "2"', 'us\r\ner', '5.6.7.8', 200n],
      ['id13', '日本', '', -1230n],
      ['id14', 'user14', 'p', 0n],
    ], name);
    const at = (text: string): number => Buffer.byteLength(everything.slice(0, everything.indexOf(text)));
    assert.deepEqual(rejects.map(({ code, line, byte, column, raw }) => [code, line, byte, column, raw]), [
      ['field_count', 6, at('-,3,'), undefined, '-,3,id3,user3'],
      ['bad_quote', 10, at('"\n\r\n\r"'), undefined, '"\n\r\n\r",4,id"4,user4,p'],
      ['bad_quote', 14, at('-,5,'), undefined, '-,5,"id5"x,user5,p'],
      ['missing_id', 15, at('-,6,'), 'i', '-,6,,user6,p'],
      ['missing_user', 16, at('-,7,'), 'u', '-,7,id7,"",p'],
      ['missing_value', 17, at('-,,id8'), 'v', '-,,id8,user8,p'],
      ['bad_value', 18, at('-,nine'), 'v', '-,nine,id9,ué,p'],
      ['value_precision', 19, at('-,1.005'), 'v', '-,1.005,id10,user10,p'],
      ['value_range', 20, at('-,9999'), 'v', '-,99999999999999999999,id11,user11,p'],
      ['record_too_long', 21, at('-,1,longlong'), undefined, everything.slice(everything.indexOf('-,1,long')).slice(0, 100)],
      ['unterminated_quote', 25, at('-,15,'), undefined, '-,15,"id15,user15,p\n'],
    ], name);
    const fieldBytes = rejects.map(({ byte, fieldByte }) => fieldByte && Buffer.from(everything).toString('latin1', fieldByte, fieldByte + 5) + (fieldByte - byte));
    assert.deepEqual(fieldBytes, [undefined, 'id"4,9', '"id5"4', ',user4', '"",p\n8', ',id8,2', 'nine,2', '1.0052', '999992', undefined, '"id155']);
    assert.deepEqual(rejects.map(({ row }) => row?.i), [undefined, undefined, undefined, '', 'id7', 'id8', 'id9', 'id10', 'id11', undefined, undefined]);
    assert.deepEqual(rejects[6]!.row, { i: 'id9', u: 'ué', p: 'p', v: 'nine' });
    assert.deepEqual(rejects.filter(({ truncated }) => truncated).map(({ code }) => code), ['record_too_long']);
    assert.equal(rejects[0]!.message, 'The record has 4 fields; the header has 5.');
    assert.equal(rejects[6]!.message, 'The value "nine" is not a decimal number.');
    assert.equal(rejects[7]!.message, 'The value "1.005" has more than 2 decimal places.');
    assert.equal(counters.read, 15);
    assert.equal(counters.rejected, 11);
    assert.equal(counters.emptyLines, 4);
    assert.equal([...counters.rejectedBy.values()].reduce((sum, count) => sum + count), 11);
  }
});

for (const { name, create } of implementations) {
  test(`every cut into blocks of 1 to 64 bytes equals the whole (${name})`, async () => {
    const inputs = [input(everything), input(''), input('u,v,p,i\n1,2,3,4', 'b.csv'), input('\ufeff', 'c.csv'), input('i,u,p,v\r', 'd.csv'), input(everything, 'e.csv')];
    const whole = await runStage(create, inputs, 1 << 16, { maxRecordBytes: 100 });
    // The bytes of a record that is skipped are what was there when it passed the limit: at least the limit.
    const comparable = (outcome: Outcome): unknown => essence({
      ...outcome,
      rows: outcome.rows.map((row) => (row.status === 'record_too_long' ? { ...row, raw: row.raw.slice(0, 101) } : row)),
    });
    for (let size = 1; size <= 64; size++) {
      for (const emptyLast of [false, true]) {
        const outcome = await runStage(create, inputs, size, { maxRecordBytes: 100, emptyLast });
        assert.deepEqual(comparable(outcome), comparable(whole), `blocks of ${size} bytes, ${emptyLast ? 'an' : 'no'} empty one last`);
      }
    }
  });
}

test('random hostile inputs, random cuts: kernel and twin, cut and whole, all equal', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const next = random(seed);
    const alphabet = ['"', '"', ',', ',', ',', '\n', '\r', '\r\n', 'a', 'bc', '1', '1.5', '\n1,2,3,4\n', '"x",y,z,7\r', '""', 'é'];
    let text = 'i,u,p,v\n';
    for (let i = Math.floor(next() * 120); i > 0; i--) text += alphabet[Math.floor(next() * alphabet.length)]!;
    const options = { maxRecordBytes: next() < 0.5 ? 1 << 16 : 1000 };
    const what = `seed ${seed}: ${JSON.stringify(text)}`;
    const whole = await runStage(implementations[0]!.create, [input(text)], 1 << 16, options);
    const twin = await runStage(implementations[1]!.create, [input(text)], 1 << 16, options);
    const cut = await runStage(implementations[0]!.create, [input(text)], 1 + Math.floor(next() * 90), options);
    assert.deepEqual(essence(twin), essence(whole), what);
    assert.deepEqual(essence(cut), essence(whole), what);
  }
});

test('the record limit is exact, wherever the blocks are cut', async () => {
  for (const { create } of implementations) {
    for (const [length, end] of [[50, '\n'], [50, '\r\n'], [50, ''], [51, '\n'], [51, '\r\n'], [51, ''], [3000, '\r\n'], [100000, '']] as const) {
      const long = `id,"u\n",p,${'0'.repeat(length - 10)}`;
      assert.equal(long.length, length);
      for (const size of [1, 2, 7, 25, 49, 50, 51, 52, 64, 1000]) {
        if (length > 5000 && size < 49) continue;
        const { rows, rejects, counters } = await runStage(create, [input(`i,u,p,v\n1,2,3,4\n${long}${end}${end === '' ? '' : '5,6,7,8\n5,6,7,x'}`)], size, { maxRecordBytes: 50 });
        const what = `${length} bytes, ${JSON.stringify(end)}, blocks of ${size}`;
        const after = end === '' ? [] : ['none', 'bad_value'];
        assert.deepEqual(rows.map((row) => row.status), ['none', length > 50 ? 'record_too_long' : 'none', ...after], what);
        assert.equal(counters.read, rows.length);
        if (end !== '') assert.equal(rejects.at(-1)!.line, 6, what);
        if (length > 50) assert.deepEqual([rejects[0]!.line, rejects[0]!.byte], [3, 16], what);
      }
    }
  }
});

test('a field of 9 MB is one reject; its quoted line ends are honoured', async () => {
  const text = `i,u,p,v\n1,2,3,4\n1,"${'x,\n""'.repeat(9 << 18)}",3,4\n5,6,7,bad\n`;
  const { rows, rejects } = await runStage(implementations[0]!.create, [input(text)], 1 << 18, { maxRecordBytes: 1 << 20 });
  assert.deepEqual(rows.map((row) => row.status), ['none', 'record_too_long', 'bad_value']);
  assert.deepEqual(rejects.map(({ line, byte }) => [line, byte]), [[3, 16], [4 + (9 << 18), text.length - 10]]);
  assert.equal(rejects[0]!.raw.length, RAW_TEXT_BYTES);
});

test('more fields than the index holds: it grows', async () => {
  const names = Array.from({ length: 150_000 }, (_, i) => `c${i}`);
  names[0] = 'v';
  names[70_000] = 'u';
  names[149_998] = 'p';
  names[149_999] = 'i';
  const filler = ','.repeat(149_998);
  const text = `${names.join(',')}\n7${filler},id\n7${','.repeat(70_000)}user${','.repeat(79_999)}id\n1,${filler},x\n`;
  for (const { create } of implementations) {
    const { rows, rejects } = await runStage(create, [input(text.replaceAll(/c\d+/g, ''))], 100_000);
    assert.deepEqual(rows.map(({ status, id, user, value }) => [status, id, user, value]), [
      ['missing_user', 'id', '', 0n],
      ['none', 'id', 'user', 700n],
      ['field_count', '', '', 150_001n],
    ]);
    assert.match(rejects[1]!.message, /has 150001 fields; the header has 150000/);
  }
});

test('a record with far more fields than the header is counted, not kept: the index does not grow', async () => {
  const long = (fields: number, first = '1', rest = ''): string => `${first}${','.repeat(fields - 1)}${rest}`;
  const lines = [
    long(65_000), long(70_000), long(200_000, '"x"'), long(1_000_000), long(90_000, '"1"x'), long(300_000, '1', 'a"b'),
    `${long(150_000)}"q"r${long(150_000)}`, `${long(100_000, 'a"b')}"q"r`, 'a,b,c,2',
  ];
  const text = `i,u,p,v\n${lines.join('\n')}\n1,2,3,"4${','.repeat(500_000)}`;
  for (const { name, create } of implementations) {
    const grown: number[] = [];
    const watched = async (memory: LinearMemory): Promise<ParseKernel> => {
      const slab = memory.slab.bind(memory);
      memory.slab = (bytes, purpose) => {
        if (purpose === 'field index') grown.push(bytes);
        return slab(bytes, purpose);
      };
      return create(memory);
    };
    for (const size of name === 'wasm' ? [10_000, 1 << 16, 1 << 20] : [1 << 18]) {
      const { rows, rejects } = await runStage(watched, [input(text), input(`${long(140_000, 'i,u,p,v')}\n${long(140_000, '1,2,3,4')}\n`, 'b.csv')], size);
      const problems = rejects.map(({ code, message }) => /^The record has (\d+) fields/.exec(message)?.[1] ?? code);
      assert.deepEqual(problems, ['65000', '70000', '200000', '1000000', 'bad_quote', 'bad_quote', 'bad_quote', 'bad_quote', 'unterminated_quote'], `${name}, ${size}`);
      assert.deepEqual(rows.filter(({ status }) => status === 'none').map(({ id, value }) => [id, value]), [['a', 200n], ['1', 400n]]);
      assert.equal(grown.length, 2, 'once, for a header that has as many');
      grown.length = 0;
    }
  }
});

test('a full scratch ends a batch early and loses nothing; ids that are too long are not folded', async () => {
  const large = (id: string, length: number): string => `"${'""'.repeat(length)}${id}","${'""'.repeat(8191)}u","${'""'.repeat(8192)}",1\n`;
  const lengths = [3, 8_191, 8_192, 8_193, 100_000, ...Array.from({ length: 40 }, () => 8_000)];
  const text = `i,u,p,v\n${lengths.map((length, i) => large(String(i % 10), length)).join('')}a,b,c,2\n`;
  for (const { create } of implementations) {
    for (const size of [1 << 16, 1 << 20]) {
      const { rows, batches } = await runStage(create, [input(text)], size);
      assert.deepEqual(rows.map(({ id, user, status }) => [status, ...(status === 'none' ? [id, user.length] : [])]), [
        ...lengths.map((length, i) => (length > 8_191 ? ['id_too_long'] : ['none', '"'.repeat(length) + (i % 10), 8192])), ['none', 'a', 1],
      ], `blocks of ${size}`);
      assert.ok(batches.length >= 15, `${batches.length} batches`);
    }
  }
});

test('batches hold at most BATCH_ROWS rows and name the block that their records end in', async () => {
  const text = `i,u,p,v\n${'a,b,c,1\n'.repeat(3 * BATCH_ROWS + 5)}`;
  const { batches, rows } = await runStage(implementations[0]!.create, [input(text)], 1 << 20);
  assert.deepEqual(batches, [[0, 0, BATCH_ROWS], [0, 0, BATCH_ROWS], [0, 0, BATCH_ROWS], [0, 0, 5]]);
  assert.equal(rows.length, 3 * BATCH_ROWS + 5);
  const cut = await runStage(implementations[0]!.create, [input('i,u,p,v\na,b,c,1\na,b,c,2\n')], 10);
  assert.deepEqual(cut.batches, [[0, 1, 1], [0, 2, 1]]);
});

test('the longest user that fits, and one byte more', async () => {
  const row = (bytes: number): string => `id,${'u'.repeat(bytes)},p,1\n`;
  const { rows, rejects } = await runStage(implementations[0]!.create, [input(`i,u,p,v\n${row(MAX_USER_BYTES)}${row(MAX_USER_BYTES + 1)}`)], 4096);
  assert.deepEqual(rows.map(({ status, user }) => [status, user.length]), [['none', 8192], ['user_too_long', 8193]]);
  assert.deepEqual([rejects[0]!.column, rejects[0]!.message], ['u', 'The user id has 8193 bytes; the most is 8192.']);
});

test('headers: other order, extra columns, one column for two purposes', async () => {
  const create = implementations[0]!.create;
  const inputs = [input('v,p,u,i\n1,2,3,4\n'), input('q,"u",i,q,p,v\nx,3,4,x,2,1\n', 'b.csv')];
  const { rows } = await runStage(create, inputs, 5);
  assert.deepEqual(rows.map(({ id, user, ip, value }) => [id, user, ip, value]), [['4', '3', '2', 100n], ['4', '3', '2', 100n]]);
});

test('nothing to read is not an error', async () => {
  for (const text of ['', '\ufeff', 'i,u,p,v', 'i,u,p,v\r\n', '\n\ni,u,p,v\n\n']) {
    const { rows, counters } = await runStage(implementations[0]!.create, [input(text)], 3);
    assert.deepEqual([rows.length, counters.read, counters.emptyLines], [0, 0, text.startsWith('\n') ? 3 : 0], JSON.stringify(text));
  }
});

test('header errors name the input, what is wrong and what was found', async () => {
  const cases: [string, RegExp][] = [
    ['i,u,p\n', /a\.csv has no column `v` \(--value-column/],
    ['i,u,p,v,u\n', /a\.csv has the column `u` more than once \(--user-column/],
    ['a,b\n', /`i` \(--id-column.*`u` \(--user-column.*`p` \(--ip-column.*`v` \(--value-column/],
    ['\n\n', /header of a\.csv is empty/],
    [',,,\n', /header of a\.csv is empty/],
    ['i,u,p,"v\n1,2,3,4\n', /header of a\.csv has a misplaced quote/],
    ['i,u"u,p,v\n', /header of a\.csv has a misplaced quote/],
    [`i,u,p,v,${'x'.repeat(200)}\n`, /header of a\.csv is longer than 100 bytes/],
    [`i,u,p,v,${'x'.repeat(200)}`, /header of a\.csv is longer than 100 bytes/],
  ];
  for (const [text, message] of cases) {
    for (const size of [1, 64, 1000]) {
      await assert.rejects(
        runStage(implementations[0]!.create, [input(text)], size, { maxRecordBytes: 100, emptyLast: size === 64 }),
        (error) => error instanceof EtlError && error.code === 'ETL_HEADER' && message.test(error.message),
        `${JSON.stringify(text)} in blocks of ${size}`,
      );
    }
  }
  await assert.rejects(runStage(implementations[0]!.create, [input('a,b\n')], 9), { hint: /^It has `a`, `b`\./ });
});

test('every row a reject: no byte is looked at more than a few times', async () => {
  let counted = 0;
  const create = async (memory: LinearMemory): Promise<ParseKernel> => {
    const kernel = await implementations[0]!.create(memory);
    return {
      ...kernel,
      countLines: (ptr, length, afterCr) => {
        counted += length;
        return kernel.countLines(ptr, length, afterCr);
      },
    };
  };
  const text = `i,u,p,v\n${'1,2\n'.repeat(50_000)}`;
  const { rejects } = await runStage(create, [input(text)], 1 << 14);
  assert.equal(rejects.length, 50_000);
  assert.equal(rejects.at(-1)!.line, 50_001);
  assert.ok(counted < 2 * text.length, `${counted} bytes counted of ${text.length}`);
});

interface Bench {
  readonly memory: LinearMemory;
  readonly stage: ReturnType<typeof createParseStage>;
  readonly blocks: TestBlocks;
  readonly rejected: Reject[];
  write(texts: AsyncGenerator<Block>): Promise<void>;
}

async function bench(size: number, rejects?: Pick<RejectSink, 'write' | 'drained'>): Promise<Bench> {
  const memory = new LinearMemory();
  const rejected: Reject[] = [];
  const sink = { ...rejectsInto(rejected), ...rejects };
  const stage = createParseStage({
    memory, kernel: createParseTwin(memory), counters: newCounters(), rejects: sink, columns, scale: 0, maxRecordBytes: 100,
  });
  return {
    memory, stage, rejected, blocks: new TestBlocks(memory, size, 100, 8),
    async write(blocks) {
      for await (const block of blocks) stage.write(block);
      stage.end();
    },
  };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await turn();
};

test('a block is taken up when the last batch of the one before was asked for', async () => {
  const { stage, blocks, write } = await bench(8);
  const writing = write(blocks.of([input('i,u,p,v\n1,2,3,4\n1,2,3,5\n')]));
  await settle();
  const first = stage.read() as Pieces<Batch>;
  const batch = first.next() as Batch;
  await settle();
  assert.equal(stage.read(), null);
  assert.equal(blocks.released, 1, 'the header');
  assert.equal(first.next(), undefined);
  assert.equal(blocks.released, 2);
  assert.throws(() => first.next(), { code: 'ETL_INTERNAL' });
  await settle();
  const second = stage.read() as Pieces<Batch>;
  assert.equal((second.next() as Batch).ptr, batch.ptr);
  assert.equal(second.next(), undefined);
  stage.resume();
  await writing;
  await settle();
  assert.equal(blocks.released, blocks.made);
});

test('destroyed while batches are being taken, it lets the block go and gives no more', async () => {
  const { memory, stage, blocks } = await bench(8);
  for await (const block of blocks.of([input('i,u,p,v\n1,2,3,4\n1,2,3,5\n')])) stage.write(block);
  await settle();
  const batches = stage.read() as Pieces<Batch>;
  batches.next();
  stage.destroy();
  await settle();
  assert.equal(blocks.released, 2);
  assert.equal(memory.slabsInUse, 8, 'all but those of the test');
  assert.throws(() => batches.next(), { code: 'ETL_ABORTED' });
});

test('what goes wrong behind the first batch is told to who asks, and by the stage', async () => {
  const text = `i,u,p,v\n${'1,2,3,4\n'.repeat(BATCH_ROWS)}1,"${'x'.repeat(200)}`;
  const { stage, blocks, memory } = await bench(text.length);
  const told = new Promise((resolve) => stage.on('error', resolve));
  for await (const block of blocks.of([input(text)])) stage.write(block);
  await settle();
  const batches = stage.read() as Pieces<Batch>;
  assert.equal((batches.next() as Batch).rows, BATCH_ROWS);
  assert.throws(() => batches.next(), { code: 'ETL_INPUT_READ' });
  assert.match(String(await told), /opens a quote that is never closed/);
  assert.throws(() => batches.next(), { code: 'ETL_ABORTED' });
  assert.deepEqual([blocks.released, memory.slabsInUse], [1, 8]);
});

test('a full reject sink is waited for', async () => {
  const order: string[] = [];
  let drain: (() => void) | undefined;
  const { stage, blocks, write } = await bench(100, {
    write: (reject) => {
      order.push(`reject ${reject.line}`);
      return true;
    },
    drained: () => new Promise((resolve) => {
      drain = resolve;
    }),
  });
  const writing = write(blocks.of([input('i,u,p,v\n1\n2\n3,4,5,6\n')]));
  const taken = (async () => {
    for await (const batch of piecesOf<Batch>(stage)) order.push(`batch of ${batch.rows}`);
  })();
  await settle();
  assert.deepEqual(order, ['reject 2']);
  drain!();
  await settle();
  assert.deepEqual(order, ['reject 2', 'reject 3']);
  drain!();
  await settle();
  assert.deepEqual(order, ['reject 2', 'reject 3', 'batch of 3']);
  await writing;
  await settle();
  drain!();
  await taken;
});

test('ended, it gives its memory back', async () => {
  const { memory, stage, blocks, write } = await bench(100);
  const writing = write(blocks.of([input('i,u,p,v\n1,2,3,4\n')]));
  for await (const batch of piecesOf<Batch>(stage)) assert.ok(batch.ptr > 0 && memory.slabsInUse > 8);
  await writing;
  assert.equal(memory.slabsInUse, 8);
});

test('an input without a last block is an error, not a loss', async () => {
  const { stage, blocks } = await bench(8);
  const { value } = await blocks.of([input('i,u,p,v\n1,2,3,4')]).next();
  const failed = new Promise((resolve) => stage.on('error', resolve));
  stage.resume();
  stage.end(value);
  assert.match(String(await failed), /has no last block/);
});

test('a record that finds no room is an error, or a reject if it is too long anyway: the same one', async () => {
  const record = (fill: string, bytes: number): string => `1,${fill.repeat(bytes / fill.length)},p,1\n`;
  const text = (long: string): string => `i,u,p,v\n2,u,p,3\n${long}4,u,p,x\n`;
  for (const { create, name } of implementations) {
    for (const long of [record('x', 310_000), record(',', 500_000), `1,"${'y""'.repeat(200_000)}",p,1\n`, `${'z'.repeat(400_000)}\r\n`]) {
      const options = { maxRecordBytes: 300_000, headroom: 70_000 };
      for (const size of [20_000, 69_999, 150_000]) {
        const roomy = await runStage(create, [input(text(long))], size, options);
        const tight = await runStage(create, [input(text(long))], size, { ...options, relayBytes: 100_000 });
        assert.deepEqual([tight.rejects, tight.counters], [roomy.rejects, roomy.counters], `${name}, blocks of ${size}`);
        assert.deepEqual(tight.rejects.map(({ code, line }) => [code, line]), [['record_too_long', 3], ['bad_value', 4]]);
      }
    }
    for (const long of [record('x', 150_000), `1,"${'y\n'.repeat(200_000)}",p,1\n`, record('x', 280_000).trimEnd()]) {
      const tight = runStage(create, [input(text(long))], 40_000, { maxRecordBytes: 300_000, headroom: 70_000, relayBytes: 100_000 });
      await assert.rejects(tight, { code: 'ETL_MEMORY', message: /a\.csv that begins in line 3 has \d+ bytes or more: there is no room/ });
    }
  }
});
