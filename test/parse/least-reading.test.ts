/** Malformed quotes, read again: the reading that takes the fewest quotes for text, and only where it is the only one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leastReading } from '../../lib/parse/least-reading.ts';
import { random } from '../random.ts';
import { picker } from './general.ts';

const RFC = { delimiter: ',', quote: '"', escape: '"' };

function read(text: string, width: number, dialect = RFC): string[][] | undefined {
  return leastReading(text, dialect, width)?.map(({ fields }) => fields);
}

test('quotes that were not meant as such', () => {
  assert.deepEqual(read('"7,x,"Boots, high","Warm"', 4), [['"7', 'x', 'Boots, high', 'Warm']]);
  assert.deepEqual(read('7,x,"Boots, 10" high","Warm"', 4), [['7', 'x', 'Boots, 10" high', 'Warm']]);
  assert.deepEqual(read('7,""Boots, high",x', 3), [['7', '"Boots, high', 'x']]);
  assert.deepEqual(read('"Round 48"","Made in"', 2), [['Round 48"', 'Made in']]);
  assert.deepEqual(read('"Round 48""","Made" in"', 2), [['Round 48"', 'Made" in']]);
  assert.deepEqual(read('a"b,c', 2), [['a"b', 'c']]);
  assert.deepEqual(read('a,"open', 2), [['a', '"open']]);
  assert.deepEqual(read("7;'Men's; warm';x", 3, { delimiter: ';', quote: "'", escape: "'" }), [['7', "Men's; warm", 'x']]);
  assert.deepEqual(read('"a\\"b"c", d', 2, { delimiter: ', ', quote: '"', escape: '\\' }), [['a"b"c', 'd']]);
});

test('several records where a quote swallowed line ends', () => {
  assert.deepEqual(read('7,x,y,"\n8,x,y,"Warm"', 4), [['7', 'x', 'y', '"'], ['8', 'x', 'y', 'Warm']]);
  assert.deepEqual(read('x"y,z\r\n\r\n"q"r,s\r\n', 2), [['x"y', 'z'], ['"q"r', 's']]);
  assert.deepEqual(leastReading('a"b,c\n\nd,e', RFC, 2)?.map(({ from, to }) => [from, to]), [[0, 5], [7, 10]]);
});

test('none where the number of fields fits no reading, two are as good, or it is too much', () => {
  assert.equal(read('a"b,c', 3), undefined);
  assert.equal(read('a,b"c\nd', 2), undefined);
  assert.equal(read('"a","b","c"', 2), undefined); // the first field may end at one place or the other
  assert.equal(read(`"${'a'.repeat(70_000)}"b`, 1), undefined);
  assert.equal(read(`${'",'.repeat(20_000)}"`, 20_001), undefined);
});

test('well-formed records are read as they are, whatever their width', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const pick = picker(random(seed));
    const width = pick([1, 2, 3, 5]);
    const field = (): string[] => pick([['a', 'a'], ['', ''], ['"b,c"', 'b,c'], ['"say ""x"""', 'say "x"'], ['"two\nlines"', 'two\nlines'], ['""', '']]);
    const records = Array.from({ length: pick([1, 2, 4]) }, () => Array.from({ length: width }, field));
    const text = records.map((record) => record.map(([written]) => written).join(',')).join('\n');
    const found = read(text, width);
    // An empty line is no record, and lines inside quotes may be records of their own as well.
    if (found && !text.includes('two') && !/^\n|\n\n|\n$|^$/.test(text)) assert.deepEqual(found, records.map((record) => record.map(([, meant]) => meant)), `seed ${seed}: ${text}`);
  }
});
