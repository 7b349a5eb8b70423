/** gzip, Zstandard and bzip2, as independent programs write them: what they hold, or an error, and never anything else. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { EtlError } from '../../lib/index.ts';
import { compressionOf, type Compression } from '../../lib/source/content.ts';
import { random } from '../random.ts';
import { byProgram, decode } from './bytes.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/compressed');
const fixture = (name: string): Buffer => readFileSync(join(FOLDER, name));
const LOGS = fixture('logs.csv');
const FORMATS: Record<string, Compression> = { gz: 'gzip', zst: 'zstd', bz2: 'bzip2' };
const formatOf = (name: string): Compression => FORMATS[name.split('.').at(-1)!]!;
const UNREADABLE = new Set(['dictionary.zst', 'wide.zst']);
const FILES = readdirSync(FOLDER).filter((name) => /\.(gz|zst|bz2)$/.test(name) && !UNREADABLE.has(name));
const DAMAGED = { code: 'ETL_INPUT_READ', message: /^The input x cannot be decompressed: its \w+ data .* \((at byte|in bytes) \d+( to \d+)? of the compressed data\)\.$/ };

function seeded(t: TestContext): () => number {
  const seed = Number(process.env['ETL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  return random(seed);
}

/** `bytes` is damaged, or still is what it was, or is not taken for compressed any more; gives which. */
async function outcome(format: Compression, bytes: Buffer, what: string): Promise<'damaged' | 'the same' | 'not compressed'> {
  if (compressionOf(bytes.subarray(0, 10)) !== format) return 'not compressed';
  try {
    assert.ok((await decode(format, bytes)).equals(LOGS), `${what}: other content`);
    return 'the same';
  } catch (error) {
    if ((error as EtlError).code !== 'ETL_INPUT_READ') throw new Error(what, { cause: error });
    return 'damaged';
  }
}

for (const name of FILES) {
  const format = formatOf(name);
  const file = fixture(name);

  test(`${name} gives logs.csv, however it is asked for`, async () => {
    assert.equal(compressionOf(file.subarray(0, 10)), format);
    for (const room of [1, 2, 3, 7, 13, 64, LOGS.length - 1, LOGS.length, LOGS.length + 1]) {
      assert.ok((await decode(format, file, () => room)).equals(LOGS), `by ${room}`);
    }
  });

  test(`${name}, cut off anywhere, is an error with its place, or what ends there`, async () => {
    const whole: number[] = [];
    for (let length = 0; length < file.length; length++) {
      const cut = file.subarray(0, length);
      if (compressionOf(cut.subarray(0, 10)) !== format) {
        assert.ok(length < 10 || name === 'frames.zst', `${length} bytes are not taken for ${format}`);
        continue;
      }
      try {
        const given = await decode(format, cut);
        assert.ok(LOGS.subarray(0, given.length).equals(given));
        whole.push(length);
      } catch (error) {
        assert.equal((error as EtlError).code, 'ETL_INPUT_READ', String(error));
        assert.match((error as EtlError).message, DAMAGED.message);
        assert.match((error as EtlError).message, new RegExp(`end in the middle \\(at byte ${length} `));
      }
    }
    // Ends of members, frames and streams, and zero bytes behind the last one.
    const ends: Record<string, number> = { 'members.gz': 3, 'padded.gz': 512, 'frames.zst': 5, 'streams.bz2': 3, 'python.bz2': 2 };
    assert.equal(whole.length, ends[name] ?? 0, `whole after ${whole.join(', ')} bytes`);
  });

  test(`${name} with any byte flipped is an error or the same`, { skip: name === 'unchecked.zst' && 'it has no checksum' }, async (t) => {
    const next = seeded(t);
    const seen = { damaged: 0, 'the same': 0, 'not compressed': 0 };
    for (let at = 0; at < file.length; at++) {
      for (const mask of format === 'bzip2' ? [1 << (at % 8)] : [1 << (at % 8), 1 + Math.floor(next() * 255)]) {
        const flipped = Buffer.from(file);
        flipped[at]! ^= mask;
        seen[await outcome(format, flipped, `byte ${at} ^ ${mask}`)]++;
      }
    }
    t.diagnostic(JSON.stringify(seen));
    assert.ok(seen.damaged > seen['the same'] + seen['not compressed'] || name === 'padded.gz', JSON.stringify(seen));
  });

  test(`${name} with anything behind it is an error that says where`, { skip: name === 'padded.gz' }, async (t) => {
    const next = seeded(t);
    for (let length = 1; length <= 8; length++) {
      for (const kind of ['random', 'zero', 'magic'] as const) {
        const garbage = Uint8Array.from({ length }, (_, at) => (kind === 'zero' ? 0 : kind === 'magic' ? file[at]! : Math.floor(next() * 256)));
        const bytes = Buffer.concat([file, garbage]);
        if (kind === 'zero' && format === 'gzip') assert.ok((await decode(format, bytes)).equals(LOGS), 'as gzip(1) has it');
        else await assert.rejects(decode(format, bytes), DAMAGED, `${kind}, ${length}`);
      }
    }
  });
}

test('a dictionary, a window that is too wide, are told as what they are', async () => {
  await assert.rejects(decode('zstd', fixture('dictionary.zst')), { code: 'ETL_INPUT_READ', message: /dictionary, number 1238315940/, hint: /zstd -dc -D/ });
  await assert.rejects(decode('zstd', fixture('wide.zst')), { code: 'ETL_INPUT_READ', message: /window of 268 MB: at most 8 MB/, hint: /--memory/ });
});

test('zeros behind gzip data are no data, and something behind them is an error, wherever pieces end', async () => {
  const piece = 64 << 10;
  // Stored blocks: the length of a member is what one chooses.
  const stored = (length: number): Buffer => {
    for (let content = length - 40; ; content++) {
      const member = gzipSync(Buffer.alloc(content, 'a,b\n'), { level: 0 });
      if (member.length === length) return member;
      assert.ok(member.length < length, `no member of ${length} bytes`);
    }
  };
  for (const length of [piece - 1, piece, piece + 1, 2 * piece]) {
    const member = stored(length);
    const content = await decode('gzip', member);
    for (const zeros of [1, piece - 1, piece, 2 * piece]) assert.ok((await decode('gzip', Buffer.concat([member, Buffer.alloc(zeros)]))).equals(content));
    for (const zeros of [0, 1, piece]) {
      const where = length + zeros;
      const error = await decode('gzip', Buffer.concat([member, Buffer.alloc(zeros), Buffer.from('x')])).then(() => undefined, (reason: EtlError) => reason);
      assert.match(error!.message, zeros === 0 ? /followed by something else|end in the middle/ : new RegExp(`followed by something else \\(at byte ${where} `), `${length} + ${zeros}`);
    }
    assert.ok((await decode('gzip', Buffer.concat([member, member]))).equals(Buffer.concat([content, content])));
    await assert.rejects(decode('gzip', Buffer.concat([member, Buffer.alloc(3), member])), DAMAGED, 'a member behind zeros');
    await assert.rejects(decode('gzip', Buffer.concat([member, member.subarray(0, 1)])), DAMAGED, 'one byte of a member');
  }
});

/** Bytes that are hard on one part of a format or another. */
function* hardBytes(next: () => number): Generator<[what: string, bytes: Buffer]> {
  const of = (length: number, byte: (at: number) => number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, at) => byte(at)));
  yield ['nothing', Buffer.alloc(0)];
  yield ['one byte', Buffer.from('x')];
  for (const length of [4, 255, 259]) yield [`a row of ${length}`, Buffer.alloc(length, 'b')];
  yield ['rows of all lengths', Buffer.concat(Array.from({ length: 530 }, (_, at) => Buffer.alloc(at, at & 0xff)))];
  yield ['noise', of(150_000, () => Math.floor(next() * 256))];
  yield ['two symbols', of(120_000, () => Math.floor(next() * 2))];
  yield ['a period', of(120_000, (at) => at % 7)];
  yield ['zeros of several blocks', Buffer.alloc(5_000_000)];
  yield ['text of several blocks', of(500_000, (at) => 48 + ((at * at) % 61) * Math.floor(next() * 1.2))];
  const fibonacci = [Buffer.from('a'), Buffer.from('b')];
  while (fibonacci.at(-1)!.length < 100_000) fibonacci.push(Buffer.concat([fibonacci.at(-1)!, fibonacci.at(-2)!]));
  yield ['a Fibonacci word', fibonacci.at(-1)!];
  yield ['codes of all lengths', Buffer.concat(Array.from({ length: 18 }, (_, at) => of(2 ** at, (i) => (i % 2 === 0 ? at : 100 + at))))];
}

test('what the programs of this machine compress', async (t) => {
  const next = seeded(t);
  const programs: [Compression, string, string[]][] = [
    ['gzip', 'gzip', ['-c9']],
    ...['-1', '-9'].map((level): [Compression, string, string[]] => ['bzip2', 'bzip2', ['-c', level]]),
    ...['-1', '-19'].map((level): [Compression, string, string[]] => ['zstd', 'zstd', ['-qc', level]]),
    ['gzip', 'python3', ['-c', 'import gzip,sys; sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read()))']],
    ['bzip2', 'python3', ['-c', 'import bz2,sys; sys.stdout.buffer.write(bz2.compress(sys.stdin.buffer.read(), 3))']],
  ];
  const absent = new Set<string>();
  for (const [what, bytes] of hardBytes(next)) {
    for (const [format, program, args] of programs) {
      if (program === 'python3' && what !== 'noise') continue; // it takes long to start
      const compressed = byProgram(program, args, bytes);
      if (!compressed) {
        absent.add(program);
        continue;
      }
      const room = 50_000 + Math.floor(next() * 1_000_000);
      assert.ok((await decode(format, compressed, () => room)).equals(bytes), `${what} by ${program} ${args.join(' ')}, read by ${room}`);
    }
    if (bytes.length < 1e6) assert.ok((await decode('gzip', gzipSync(bytes))).equals(bytes), what);
  }
  if (absent.size > 0) t.diagnostic(`not on this machine: ${[...absent].join(', ')}`);
});

test('members, frames and streams of every length in a row', async (t) => {
  const next = seeded(t);
  for (const [format, program, args] of [['gzip', 'gzip', ['-c1']], ['zstd', 'zstd', ['-qc']], ['bzip2', 'bzip2', ['-c1']]] as const) {
    const parts: Buffer[] = [];
    const compressed: Buffer[] = [];
    for (let i = 0; i < 40; i++) {
      const part = Buffer.from(Uint8Array.from({ length: Math.floor(2 ** (next() * 18)) - 1 }, () => Math.floor(next() * 200)));
      const made = byProgram(program, args, part) ?? (format === 'gzip' ? gzipSync(part) : undefined);
      if (!made) return t.diagnostic(`no ${program}`);
      parts.push(part);
      compressed.push(made);
    }
    const whole = Buffer.concat(compressed);
    assert.ok((await decode(format, whole)).equals(Buffer.concat(parts)), format);
    const cut = whole.subarray(0, whole.length - 1 - Math.floor(next() * (compressed.at(-1)!.length - 1)));
    await assert.rejects(decode(format, cut), DAMAGED);
  }
});
