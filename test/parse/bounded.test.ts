/** Fields of 64 MB in 5.5 MiB of linear memory: a reject or a clear error, whatever stands around them. */
import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import type { Reject } from '../../lib/core/rejects.ts';
import type { Pieces } from '../../lib/core/pieces.ts';
import type { Batch } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { createParseStage } from '../../lib/parse/stage.ts';
import { BlockSource } from '../../lib/source/blocks.ts';
import { listInputs } from '../../lib/source/inputs.ts';
import { temporaryFolder } from '../temporary.ts';
import { piecesOf } from '../pieces.ts';
import { columns, implementations, rejectsInto, rowsOf, type Row } from './blocks.ts';

/** Two blocks, a batch, a scratch, an index, a relay and the control block take 5.1 MiB. */
const LIMIT = 11 << 19;
const PIECE = 1 << 20;
const RECORD = 1 << 20;

interface Result {
  readonly rows: Row[];
  readonly rejects: Reject[];
  readonly error: unknown;
}

/** `count` times a MiB of `filler` between two texts, read by source and parse within LIMIT. */
async function read(folder: string, before: string, filler: string, count: number, after: string): Promise<Result> {
  const path = join(folder, 'a.csv');
  const file = openSync(path, 'w');
  const piece = filler.repeat(PIECE / filler.length);
  writeSync(file, before);
  for (let i = 0; i < count; i++) writeSync(file, piece);
  writeSync(file, after);
  closeSync(file);

  const memory = new LinearMemory({ limit: LIMIT, workspace: LIMIT / 2 });
  const counters = newCounters();
  const rows: Row[] = [];
  const rejects: Reject[] = [];
  const source = new BlockSource({ inputs: await listInputs([path]), memory, counters, blockBytes: 256 << 10, blocks: 2 });
  const parse = createParseStage({
    memory, kernel: await implementations[0]!.create(memory), counters, columns, scale: 2, maxRecordBytes: RECORD, relayBytes: RECORD + (256 << 10) + 128,
    rejects: rejectsInto(rejects),
  });
  const error = await pipeline(source.stream(), parse, async (taken: AsyncIterable<Pieces<Batch>>) => {
    for await (const batch of piecesOf(taken)) rows.push(...rowsOf(memory, batch));
  }).then(() => undefined, (cause: unknown) => cause);
  await source.close();
  assert.equal(memory.slabsInUse, 0);
  assert.ok(memory.size <= LIMIT);
  return { rows, rejects, error };
}

const head = 'i,u,p,v\n1,2,3,4\n';

test('a field of 64 MB is one reject: quoted, quoted quotes, unquoted, or nothing but delimiters', async (t) => {
  const folder = temporaryFolder(t);
  const cases: [before: string, filler: string, after: string][] = [
    ['1,"', 'x,\n\r', '",3,4\n'], ['1,"', '""', '",3,4\n'], ['1,', 'abcd', ',3,4\r\n'], ['1', ',', '\n'], ['"1"x', '"y",', '\n'],
  ];
  for (const [before, filler, after] of cases) {
    const { rows, rejects, error } = await read(folder, head + before, filler, 64, `${after}5,6,7,8\n`);
    const what = JSON.stringify([before, filler]);
    assert.equal(error, undefined, what);
    assert.deepEqual(rows.map(({ id, status }) => [id, status]), [['1', 'none'], ['', 'record_too_long'], ['5', 'none']], what);
    assert.deepEqual(rejects.map(({ line, byte, code }) => [line, byte, code]), [[3, head.length, 'record_too_long']], what);
  }
});

test('a quote that is never closed, 64 MB before the end, is an error that says where it opens', async (t) => {
  const { rows, error } = await read(temporaryFolder(t), `${head}1,"`, 'x,2\n', 64, '');
  assert.deepEqual(rows.map(({ status }) => status), ['none', 'record_too_long']);
  assert.match(String(error), /begins in line 3 \(byte 16\) opens a quote that is never closed/);
});

test('a header of 64 MB is an error', async (t) => {
  const folder = temporaryFolder(t);
  for (const filler of ['x', ',', '"']) {
    const { error } = await read(folder, 'i,u,p,v,"', filler, 64, '"\n1,2,3,4\n');
    assert.match(String(error), /header of .*a\.csv is longer than 1048576 bytes/);
  }
});
