/** The kernel's scan against its twin, entry by entry, around the borders of its steps. Random texts: fuzz.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { ENTRY_POSITION, STATE_EMPTY_LINES, STATE_LINES } from '../../lib/kernels/parse-layout.ts';
import type { ParseKernel } from '../../lib/kernels/twins/parse.ts';
import { fieldProblem, fieldText } from '../../lib/parse/field-text.ts';
import { INPUT_START } from '../../lib/parse/cut.ts';
import { Scanner } from '../../lib/parse/scanner.ts';
import { random } from '../random.ts';
import { implementations } from './blocks.ts';

interface Scanned {
  readonly records: string[][];
  readonly entries: number[];
  readonly lines: number;
  readonly emptyLines: number;
  readonly problems: number;
}

class Harness {
  readonly #memory: LinearMemory;
  readonly #window: number;
  readonly #scanner: Scanner;
  readonly #quote: string;

  constructor(kernel: ParseKernel, memory: LinearMemory, dialect: { delimiter: string; quote: string }) {
    this.#memory = memory;
    this.#window = memory.slab(1 << 16, 'window');
    this.#quote = dialect.quote;
    this.#scanner = new Scanner({ memory, kernel, recordLimit: 1 << 20, ...dialect });
  }

  scan(bytes: Uint8Array): Scanned {
    const scanner = this.#scanner;
    this.#memory.bytes(this.#window, bytes.length).set(bytes);
    scanner.set(STATE_EMPTY_LINES, 0);
    scanner.open(this.#window, bytes.length, true, INPUT_START);
    const records: string[][] = [];
    const entries: number[] = [];
    let problems = 0;
    while (scanner.scan(true) !== 'end') {
      while (scanner.next()) {
        const { record, index, window } = scanner;
        let from = record.start;
        const fields: string[] = [];
        for (const entry of index.slice(record.first, record.next)) {
          entries.push(entry);
          if (fieldProblem(entry)) problems++;
          fields.push(fieldText(window, from, entry & ENTRY_POSITION, entry, this.#quote));
          from = (entry & ENTRY_POSITION) + 1;
        }
        records.push(fields);
      }
    }
    return { records, entries, problems, lines: scanner.get(STATE_LINES), emptyLines: scanner.get(STATE_EMPTY_LINES) };
  }
}

async function harnesses(dialect = { delimiter: ',', quote: '"' }): Promise<{ wasm: Harness; twin: Harness }> {
  const [wasm, twin] = await Promise.all(implementations.map(async ({ create }) => {
    const memory = new LinearMemory();
    return new Harness(await create(memory), memory, dialect);
  }));
  return { wasm: wasm!, twin: twin! };
}

test('quotes and line ends at every place around the 64-byte borders', async () => {
  const { wasm, twin } = await harnesses();
  const snippets = ['"a"', '""', '""""', '"a""b"', '"a\r\nb"', 'a\r\nb', 'a\r\rb', '\r\n\r\n', '"a"b', 'a"b', '"a" ', '"a"\r\n"', '"",""', '"\n', '"""', ',,,', 'é'];
  for (const snippet of snippets) {
    for (const filler of ['x', '"', ',', '\r']) {
      for (let before = 0; before <= 130; before++) {
        const text = `${filler === 'x' ? 'x'.repeat(Math.max(before - 1, 0)) + (before > 0 ? ',' : '') : filler.repeat(before)}${snippet},${'y'.repeat(70)}\n`;
        const bytes = Buffer.from(text);
        assert.deepEqual(wasm.scan(bytes), twin.scan(bytes), JSON.stringify(text));
      }
    }
  }
});

test('the rules for malformed quotes', async () => {
  const cases: [string, string[][], number][] = [
    ['"a"b,c\n', [['"a"b', 'c']], 1],
    ['"a"b",c\n', [['"a"b"', 'c']], 1],
    ['a"b,c"\n', [['a"b', 'c"']], 2],
    ['a""b\n', [['a""b']], 1],
    ['"a" ,b\n', [['"a" ', 'b']], 1],
    [' "a",b\n', [[' "a"', 'b']], 1],
    ['"a"b\n"c\nd"\n', [['"a"b'], ['c\nd']], 1],
    ['x,"open\n,"', [['x', 'open\n,']], 0],
    ['x,"open\n,', [['x', '"open\n,']], 1],
    ['x,"open ""', [['x', '"open ""']], 1],
    ['"', [['"']], 1],
    ['""', [['']], 0],
    ['"""', [['"""']], 1],
  ];
  const { wasm, twin } = await harnesses();
  for (const [text, records, problems] of cases) {
    for (const harness of [wasm, twin]) {
      const result = harness.scan(Buffer.from(text));
      assert.deepEqual([result.records, result.problems], [records, problems], JSON.stringify(text));
    }
  }
});

for (const { name, create } of implementations) {
  test(`countLines, every length and both states before (${name})`, async () => {
    const memory = new LinearMemory();
    const kernel = await create(memory);
    const at = memory.slab(256, 'text');
    const next = random(7);
    const text = Array.from({ length: 200 }, () => '\r\n\r\na'[Math.floor(next() * 5)]!).join('');
    memory.bytes(at, text.length).set(Buffer.from(text));
    for (let from = 0; from < 20; from++) {
      for (let to = from; to <= text.length; to++) {
        for (const afterCr of [0, 1]) {
          const expected = (afterCr ? '\r' : '').concat(text.slice(from, to)).split(/\r\n|\n|\r/).length - 1 - afterCr;
          assert.equal(kernel.countLines(at + from, to - from, afterCr), expected, `${from} ${to} ${afterCr}`);
        }
      }
    }
  });
}
