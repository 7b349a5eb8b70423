/**
 * Random CSV, well-formed and mutated: the kernel = its twin = the written rules (record-model.ts), and csv-parse where it is
 * well-formed; all at once and in pieces. ETL_CSV_CASES of them, from ETL_CSV_SEED on. A case that fails is shrunk and left in
 * fixtures/regressions, which is replayed first.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { parse as csvParse } from 'csv-parse/sync';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { ENTRY_POSITION } from '../../lib/kernels/parse-layout.ts';
import { fieldProblem, isQuoted, unfold } from '../../lib/parse/field-text.ts';
import { INPUT_START } from '../../lib/parse/cut.ts';
import { Scanner } from '../../lib/parse/scanner.ts';
import { recordsOf } from '../record-model.ts';
import { implementations } from './blocks.ts';
import { csvCase, shrinkBytes, type CsvCase } from './csv-cases.ts';

const CASES = Number(process.env.ETL_CSV_CASES ?? 20_000);
const FIRST_SEED = Number(process.env.ETL_CSV_SEED ?? 1);
const regressions = fileURLToPath(new URL('../../fixtures/regressions/', import.meta.url));

/** Text of each field, one character a byte; the record's place, and its problem. A record over the limit has no more. */
type Found = readonly [start: number, line: number, problem: string | undefined, ...fields: string[]];

class Harness {
  readonly #memory: LinearMemory;
  readonly #window: number;
  readonly #scanners = new Map<string, Scanner>();
  readonly #create: (recordLimit: number) => Scanner;

  private constructor(memory: LinearMemory, create: (recordLimit: number) => Scanner) {
    this.#memory = memory;
    this.#window = memory.slab(1 << 16, 'window');
    this.#create = create;
  }

  static async of({ create }: (typeof implementations)[number]): Promise<Harness> {
    const memory = new LinearMemory();
    const kernel = await create(memory);
    return new Harness(memory, (recordLimit) => new Scanner({ memory, kernel, recordLimit }));
  }

  records({ bytes, delimiter, quote, limit }: CsvCase, piece: number): Found[] {
    const key = limit < 1 << 20 ? 'small' : 'large';
    if (key === 'small') this.#scanners.get(key)?.close();
    const scanner = key === 'small' ? this.#create(limit) : this.#scanners.get(key) ?? this.#create(limit);
    this.#scanners.set(key, scanner);
    scanner.setDialect(delimiter, quote);
    scanner.expected = 0;
    scanner.oneRecord = true;
    this.#memory.bytes(this.#window, bytes.length).set(bytes);
    const first = piece === 0 ? bytes.length : Math.min(piece, bytes.length);
    scanner.open(this.#window, first, first === bytes.length, INPUT_START);
    const found: Found[] = [];
    for (let at = first; ;) {
      this.#take(scanner, at === bytes.length, limit, quote, found);
      if (at === bytes.length) return found;
      const more = Math.min(piece, bytes.length - at);
      at += more;
      scanner.extend(more, at === bytes.length);
    }
  }

  #take(scanner: Scanner, last: boolean, limit: number, quote: string, found: Found[]): void {
    for (let state = scanner.scan(last); state !== 'end'; state = scanner.scan(last)) {
      if (state === 'too_long') return; // what comes of it is the stage's affair: unclosed-quote.test.ts
      while (scanner.next()) {
        const { record, index, window } = scanner;
        const fields: string[] = [];
        let problem: string | undefined;
        let from = record.start;
        for (const entry of index.subarray(record.first, record.next)) {
          const to = entry & ENTRY_POSITION;
          problem ??= fieldProblem(entry);
          fields.push(isQuoted(entry) ? unfold(window.toString('latin1', from + 1, to - 1), quote) : window.toString('latin1', from, to));
          from = to + 1;
        }
        const place = [record.start, scanner.lineOf(record.start)] as const;
        found.push(record.end - record.start > limit ? [...place, 'record_too_long'] : [...place, problem, ...fields]);
        if (scanner.oneRecord) {
          scanner.oneRecord = false;
          scanner.expected = record.next - record.first;
          scanner.scanAgain();
        }
      }
    }
  }
}

function modelled({ bytes, delimiter, quote, limit }: CsvCase): Found[] {
  return recordsOf(bytes.toString('latin1'), { delimiter, quote, limit }).records.map(({ start, end, line, fields }) => (
    end - start > limit ? [start, line, 'record_too_long'] : [start, line, fields.find(({ fault }) => fault)?.fault, ...fields.map(({ text }) => text)]
  ));
}

function parsedElsewhere({ bytes, delimiter, quote }: CsvCase): string[][] {
  const records = csvParse(bytes, {
    delimiter, quote: quote === '' ? false : quote, escape: quote === '' ? null : quote, record_delimiter: ['\r\n', '\n', '\r'], relax_column_count: true,
    skip_empty_lines: true, bom: true,
  }) as string[][];
  return records.map((fields) => fields.map((field) => Buffer.from(field).toString('latin1')));
}

/** With a limit, a record that is too long and unfinished ends the comparison. */
function check([wasm, twin]: readonly Harness[], which: CsvCase): void {
  const wanted = modelled(which);
  const cut = (found: Found[]): Found[] => {
    const long = wanted.findIndex(([, , problem]) => problem === 'record_too_long');
    return long < 0 ? found : found.slice(0, long);
  };
  for (const [name, harness] of [['kernel', wasm!], ['twin', twin!]] as const) {
    assert.deepEqual(cut(harness.records(which, 0)), cut(wanted), name);
    if (which.piece > 0 && name === 'kernel') assert.deepEqual(cut(harness.records(which, which.piece)), cut(wanted), `in pieces of ${which.piece}`);
  }
  if (!which.isValid) return;
  assert.deepEqual(wanted.map(([, , problem, ...fields]) => [problem, ...fields]), parsedElsewhere(which).map((fields) => [undefined, ...fields]), 'csv-parse');
}

test('regressions: CSV that was once read wrong', async () => {
  const harnesses = await Promise.all(implementations.map((each) => Harness.of(each)));
  for (const name of readdirSync(regressions).filter((file) => file.endsWith('.json'))) {
    const { text, ...rest } = JSON.parse(readFileSync(`${regressions}${name}`, 'utf8')) as Omit<CsvCase, 'bytes'> & { text: string };
    check(harnesses, { ...rest, bytes: Buffer.from(text, 'latin1') });
  }
});

test(`${CASES} random texts: kernel = twin = the written rules, = csv-parse where they are well-formed`, async (t) => {
  const harnesses = await Promise.all(implementations.map((each) => Harness.of(each)));
  const met = { valid: 0, malformed: 0, recovered: 0, long: 0, pieces: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed++) {
    const which = csvCase(seed);
    try {
      check(harnesses, which);
    } catch (error) {
      const fails = (bytes: Buffer): boolean => {
        try {
          check(harnesses, { ...which, bytes, isValid: false }); // with bytes left out it may be well-formed no more
          return false;
        } catch {
          return true;
        }
      };
      const isShrinkable = fails(which.bytes);
      const { bytes, ...rest } = isShrinkable ? { ...which, isValid: false, bytes: await shrinkBytes(which.bytes, fails) } : which;
      const name = `csv-${seed}.json`;
      writeFileSync(`${regressions}${name}`, `${JSON.stringify({ text: bytes.toString('latin1'), ...rest })}\n`);
      throw new Error(`seed ${seed} (ETL_CSV_SEED=${seed} ETL_CSV_CASES=1), shrunk to fixtures/regressions/${name}: ${JSON.stringify(bytes.toString('latin1'))}`, { cause: error });
    }
    const found = modelled(which);
    met.valid += Number(which.isValid);
    met.malformed += Number(found.some(([, , problem]) => problem !== undefined));
    met.long += Number(found.some(([, , problem]) => problem === 'record_too_long'));
    met.pieces += Number(which.piece > 0);
    if (!which.isValid && seed % 10 === 0) met.recovered += Number(found.length > recordsOf(which.bytes.toString('latin1'), { ...which, fields: 1e9 }).records.length);
  }
  t.diagnostic(JSON.stringify(met));
  if (CASES >= 20_000) for (const [what, times] of Object.entries(met)) assert.ok(times > 20, `${what}: ${times}`);
});
