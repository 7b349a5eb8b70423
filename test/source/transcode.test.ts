/** Other encodings to UTF-8, beside `TextDecoder` where it is right, wherever units, pairs and targets end. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { listInputs, type InputFile } from '../../lib/source/inputs.ts';
import { lookInto } from '../../lib/source/look-into.ts';
import { TextReader } from '../../lib/source/text-reader.ts';
import { Transcoder } from '../../lib/source/transcode.ts';
import type { OtherEncoding } from '../../lib/source/content.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { readAll, sourceOf } from './bytes.ts';

const transcode = (encoding: OtherEncoding, bytes: Uint8Array, room?: () => number): Promise<Buffer> =>
  readAll(new Transcoder(sourceOf(bytes), encoding), room);
const BOTH = ['utf-16le', 'utf-16be'] as const;

/** 0x80 to 0x9f by the WHATWG's index-windows-1252.txt. Node 20 decodes them as ISO-8859-1. */
const WINDOWS = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';
const windows1252 = (bytes: Buffer): Buffer => Buffer.from(bytes.toString('latin1').replace(/[\x80-\x9f]/g, (char) => WINDOWS[char.charCodeAt(0) - 0x80]!));

function seeded(t: TestContext): () => number {
  const seed = Number(process.env['ETL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  return random(seed);
}

function units(codes: readonly number[], encoding: OtherEncoding): Buffer {
  const bytes = Buffer.from(Uint16Array.from(codes).buffer);
  return encoding === 'utf-16be' ? bytes.swap16() : bytes;
}

test('every unit of UTF-16 that is a character, and every pair', async () => {
  const codes: number[] = [];
  for (let code = 0; code < 0x10000; code++) if (code < 0xd800 || code > 0xdfff) codes.push(code);
  for (let high = 0xd800; high < 0xdc00; high++) codes.push(high, 0xdc00 + (high * 7) % 1024, high, 0xdfff, high, 0xdc00);
  for (const encoding of BOTH) {
    const bytes = units(codes, encoding);
    const expected = Buffer.from(new TextDecoder(encoding, { ignoreBOM: true, fatal: true }).decode(bytes));
    assert.ok((await transcode(encoding, bytes)).equals(expected), encoding);
  }
});

test('every byte of ISO-8859-1 and of Windows-1252', async () => {
  const bytes = Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte));
  assert.equal(WINDOWS.length, 32);
  assert.equal((await transcode('latin1', bytes)).toString(), String.fromCharCode(...bytes));
  assert.equal((await transcode('windows-1252', bytes)).toString(), windows1252(bytes).toString());
});

test('half of a pair becomes the bytes that UTF-8 forbids, half of a unit one more', async () => {
  const half = (code: number): number[] => [0xe0 | code >> 12, 0x80 | code >> 6 & 0x3f, 0x80 | code & 0x3f];
  const [a, high, low] = [0x61, 0xd83d, 0xde00];
  for (const [codes, expected] of [
    [[high], half(high)], [[low], half(low)], [[high, a], [...half(high), a]], [[high, high, low], [...half(high), ...Buffer.from('😀')]],
    [[low, high], [...half(low), ...half(high)]], [[high, high], [...half(high), ...half(high)]], [[a, high, 0xffff], [a, ...half(high), 0xef, 0xbf, 0xbf]],
  ] as const) {
    for (const encoding of BOTH) {
      for (const odd of [[], [0x41]]) {
        for (const room of [1, 2, 3, 4, 5, 100]) {
          const given = await transcode(encoding, Buffer.concat([units(codes, encoding), Buffer.from(odd)]), () => room);
          assert.deepEqual([...given], [...expected, ...odd.map(() => 0xff)], `${codes.map((code) => code.toString(16))} by ${room}`);
        }
      }
    }
  }
  assert.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(half(high))));
});

test('random text by targets of random length, longer than any piece', async (t) => {
  const next = seeded(t);
  for (let round = 0; round < 12; round++) {
    const length = Math.floor(2 ** (next() * 18));
    const codes: number[] = [];
    while (codes.length < length) {
      const kind = next();
      if (kind < 0.6) codes.push(Math.floor(next() * 128));
      else if (kind < 0.7) codes.push(Math.floor(next() * 0x800));
      else if (kind < 0.8) codes.push(Math.floor(next() * 0xd800));
      else codes.push(0xd800 + Math.floor(next() * 0x400), 0xdc00 + Math.floor(next() * 0x400));
    }
    const bytes = Buffer.from(codes.map((code) => code & 0xff));
    const room = (): number => 1 + Math.floor(2 ** (next() * (length > 10_000 ? 16 : 7)));
    for (const encoding of BOTH) {
      const text = units(codes, encoding);
      assert.ok((await transcode(encoding, text, room)).equals(Buffer.from(new TextDecoder(encoding, { ignoreBOM: true }).decode(text))), encoding);
    }
    assert.ok((await transcode('latin1', bytes, room)).equals(Buffer.from(bytes.toString('latin1'))));
    assert.ok((await transcode('windows-1252', bytes, room)).equals(windows1252(bytes)));
  }
});

test('an input is what its first bytes and --encoding say, compressed or not', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'a.csv');
  const text = '\ufeffä,b\n1,€\n';
  const le = Buffer.from(text, 'utf16le');
  const be = Buffer.from(le).swap16();
  const cases: [bytes: Buffer, encoding: InputFile['encoding'], content: string, expected: Buffer][] = [
    [Buffer.from(text), 'auto', 'text', Buffer.from(text)],
    [Buffer.from(text), 'utf-8', 'text', Buffer.from(text)],
    [le, 'auto', 'transcoded', Buffer.from(text)],
    [be, 'auto', 'transcoded', Buffer.from(text)],
    [le.subarray(2), 'utf-16le', 'transcoded', Buffer.from(text.slice(1))],
    [be.subarray(2), 'utf-16be', 'transcoded', Buffer.from(text.slice(1))],
    [le, 'utf-8', 'text', le],
    [Buffer.from('ä', 'latin1'), 'latin1', 'transcoded', Buffer.from('ä')],
    [Buffer.from('ä', 'latin1'), 'auto', 'text', Buffer.from('ä', 'latin1')],
    [Buffer.from([0x80]), 'windows-1252', 'transcoded', Buffer.from('€')],
    [Buffer.alloc(0), 'auto', 'text', Buffer.alloc(0)],
    [Buffer.from([0xff]), 'auto', 'text', Buffer.from([0xff])],
    [Buffer.from([0xff, 0xfe]), 'auto', 'transcoded', Buffer.from('\ufeff')],
    [Buffer.from('plain text in a file that is called otherwise'), undefined, 'text', Buffer.from('plain text in a file that is called otherwise')],
  ];
  for (const [bytes, encoding, content, expected] of cases) {
    for (const compress of [false, true]) {
      writeFileSync(path, compress ? gzipSync(bytes) : bytes);
      const [input] = await lookInto(await listInputs([path], { encoding }));
      assert.equal(input!.content, compress ? 'gzip' : content);
      const reader = new TextReader(input!);
      assert.ok((await readAll(reader, () => 5)).equals(expected), `${encoding}, ${content}`);
      assert.equal(reader.content, compress ? 'gzip' : content);
      await reader.close();
    }
  }
});

test('a file that gets shorter, in whatever encoding, is an error', async (t) => {
  const path = join(temporaryFolder(t), 'a.csv');
  writeFileSync(path, Buffer.from('\ufeffa,b\n'.repeat(100), 'utf16le'));
  const [input] = await lookInto(await listInputs([path]));
  writeFileSync(path, Buffer.from('\ufeffa,b\n'.repeat(50), 'utf16le'));
  const reader = new TextReader(input!);
  await assert.rejects(readAll(reader), { code: 'ETL_INPUT_READ', message: /got shorter while it was read: 500 of 1000 bytes/ });
  await reader.close();
});
