import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAMPLE_BYTES } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { createParseTwin } from '../../lib/kernels/twins/parse.ts';
import { readSample } from '../../lib/parse/sample.ts';
import { columns } from './blocks.ts';

function scaleOf(text: string): number | undefined {
  const memory = new LinearMemory();
  try {
    return readSample(Buffer.from(text), columns, { memory, kernel: createParseTwin(memory) })?.scale;
  } finally {
    assert.equal(memory.slabsInUse, 0);
  }
}

test('the most significant decimal places of any value', () => {
  const cases: [string, number | undefined][] = [
    ['', undefined], ['\ufeff', undefined], ['i,u,p,v', undefined], ['i,u,p,v\n', undefined], ['i,u,p,v\n1,2,3,4\n', 0], ['i,u,p,v\n1,2,3,4.25\n1,2,3,4.5\n', 2],
    ['v,i,u,p\n4.50,2.125,3,4.125\n', 1], ['i,u,p,v\n1,2,3,4.000\n', 0], ['i,u,p,v\n1,2,3, -.125 ', 3], ['i,u,p,v\r\n1,2,3,"4.25"\r\n', 2],
    ['i,u,p,v\n1,2,3,4.123456789\n', 6], ['i,u,p,v\n1,2,3,1.2.3\n1,2,3,.\n1,2,3,x.25\n', 0], ['i,u,p,v\n1,2,3.5,4.25,\n1,2,4.25\n', undefined],
    ['i,u,p,v\n1,"2\n,""",3,4.5\n', 1], ['i,u,p,v\n1,2,3,"4.25"x\n', undefined], ['i,u,p,v\r1,2,3,4.5\r\n\r\r1,2,3,4.75', 2],
  ];
  for (const [text, scale] of cases) assert.equal(scaleOf(text), scale, JSON.stringify(text));
});

test('looks at whole records of the first MiB, and at nothing else', () => {
  const start = 'i,u,p,v\n1,2,3,1.5\n1,2,3,';
  const upTo = (length: number, end: string): string => `${start.padEnd(length - end.length, '0')}${end}`;
  const rest = '1,2,3,1.125\n';
  assert.equal(scaleOf(upTo(SAMPLE_BYTES, '.25\n') + rest), 2, 'the last byte of the sample ends the record');
  assert.equal(scaleOf(upTo(SAMPLE_BYTES + 1, '.25\n') + rest), 1, 'the record goes on past the sample');
  assert.equal(scaleOf(upTo(SAMPLE_BYTES - 1, '.25')), 2, 'the input ends before the sample does');
  assert.equal(scaleOf(upTo(SAMPLE_BYTES, '.25')), 1, 'nobody knows whether it goes on');
});

test('a value of a million zeros takes no time to speak of', () => {
  const zeros = '0'.repeat(1_000_000);
  assert.equal(scaleOf(`i,u,p,v\n1,2,3,0.${zeros}1\n`), 6);
  assert.equal(scaleOf(`i,u,p,v\n1,2,3,0.5${zeros}\n`), 1);
});

test('fails on the header as the stage would', () => {
  assert.throws(() => scaleOf('i,u,p\n'), { code: 'ETL_HEADER' });
});

test('what nearly all users begin with, without the digits at its end', () => {
  const prefixOf = (users: readonly string[]): string => {
    const records = users.map((user) => `1,${user},3,4\n`).join('');
    return Buffer.from(readSample(Buffer.from(`i,u,p,v\n${records}`), columns)!.userPrefix).toString('latin1');
  };
  const many = (user: (i: number) => string, count = 200): string[] => Array.from({ length: count }, (_, i) => user(i));
  const cases: [readonly string[], string][] = [
    [many((i) => `user_${i}`), 'user_'], [many((i) => `user_0${i}`), 'user_'], [many((i) => `u${i}`), 'u'], [many((i) => String(1000 + i)), ''],
    [many((i) => `"acct:${i}"`), 'acct:'], [many((i) => (i % 40 ? `user_${i}` : `guest${i}`)), 'user_'], [many((i) => (i % 20 ? `user_${i}` : `guest${i}`)), ''],
    [many((i) => `https://example.com/${i}`), 'https://example.'], [many(() => 'same'), 'same'], [['only'], 'only'], [many((i) => 'u'.repeat(1 + i % 3)), 'u'],
    [many((i) => `é${i}`), Buffer.from('é').toString('latin1')], [many((i) => String.fromCodePoint(0xe9 + i % 4)), '\xc3'], [['', ''], ''],
    [[...many((i) => `first${i}`, 1024), ...many((i) => `other${i}`, 9000)], 'first'],
  ];
  for (const [users, prefix] of cases) assert.equal(prefixOf(users), prefix, users.slice(0, 3).join());
});
