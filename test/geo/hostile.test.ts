import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Reader } from 'maxmind';
import { EtlError } from '../../lib/core/errors.ts';
import { TABLE_CHUNKS } from '../../lib/kernels/geo-layout.ts';
import { PAGE_BYTES } from '../../lib/kernels/layout.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { type MmdbPlan, writeMmdb } from './mmdb-writer.ts';
import { expectedRegion, type Lookup, openLookup, type SideName, sideNames } from './sides.ts';

const record = (code: string): unknown => ({ country: { iso_code: code, names: { en: `Land ${code}`, de: `Das Land ${code}` } }, n: [1, 2, 3] });
const regionOf = (value: unknown): unknown => (value as { country?: { iso_code?: string } } | null)?.country?.iso_code;
const plan: MmdbPlan = {
  recordSize: 24,
  ipVersion: 6,
  networks: [
    ['1.0.0.0/8', record('AU')], ['1.2.0.0/16', record('NZ')], ['1.2.3.0/24', record('FJ')], ['9.9.9.9/32', record('CH')],
    ['2001:db8::/32', record('DE')], ['2001:db8:0:1::/64', record('DK')], ['2a00::/12', record('SE')],
  ],
  aliases: ['2002::/16'],
};
const probes = ['0.0.0.0', '1.1.1.1', '1.2.2.2', '1.2.3.4', '9.9.9.9', '9.9.9.8', '2001:db8::1', '2001:db8:0:1::1', '2a01::', '2002:102:304::', '::1', 'ffff::'];

/** Either refused by a proper error, or a table that answers like maxmind. */
async function open(name: SideName, file: string, bytes: Buffer): Promise<Lookup | EtlError> {
  writeFileSync(file, bytes);
  try {
    return await openLookup(name, { file });
  } catch (error) {
    if (error instanceof EtlError && error.code === 'ETL_GEO_DATABASE') return error;
    throw error;
  }
}

function assertEqualAnswers(lookup: Lookup, bytes: Buffer, what: string): void {
  const reader = new Reader(bytes);
  const found = lookup.regions(probes);
  probes.forEach((text, i) => assert.equal(found[i], expectedRegion(reader, text, regionOf), `${what}: ${text}`));
}

for (const name of sideNames) {
  test(`${name}: a file cut off anywhere is refused`, async (t) => {
    const whole = writeMmdb(plan);
    const file = join(temporaryFolder(t), 'cut.mmdb');
    const step = name === 'kernel' ? 7 : 61;
    for (let length = 0; length < whole.length; length += length > whole.length - 200 ? 1 : step) {
      const result = await open(name, file, whole.subarray(0, length));
      assert.ok(result instanceof EtlError, `${length} of ${whole.length} bytes were accepted`);
    }
  });

  test(`${name}: a file cut off in front, or in the middle, is refused or answers like maxmind`, async (t) => {
    const whole = writeMmdb(plan);
    const file = join(temporaryFolder(t), 'gap.mmdb');
    for (let from = 0; from < whole.length; from += 97) {
      const bytes = Buffer.concat([whole.subarray(0, from), whole.subarray(from + 6)]);
      const result = await open(name, file, bytes);
      if (!(result instanceof EtlError)) assertEqualAnswers(result, bytes, `without 6 bytes at ${from}`);
    }
  });

  test(`${name}: flipped bytes give an error or maxmind's answers`, async (t) => {
    const folder = temporaryFolder(t);
    const seed = 71;
    const next = random(seed);
    let accepted = 0;
    let refused = 0;
    for (let round = 0; round < (name === 'kernel' ? 300 : 100); round++) {
      const bytes = writeMmdb({ ...plan, recordSize: ([24, 28, 32] as const)[round % 3]! });
      for (let flips = 1 + Math.floor(next() * 3); flips > 0; flips--) {
        // Half of them in the tree, the rest behind it, where a random place would seldom fall.
        const at = Math.floor((next() < 0.5 ? next() : 1 - next() * 0.25) * bytes.length) % bytes.length;
        bytes[at] = next() < 0.5 ? bytes[at]! ^ (1 << Math.floor(next() * 8)) : Math.floor(next() * 256);
      }
      const result = await open(name, join(folder, 'flipped.mmdb'), bytes);
      if (result instanceof EtlError) refused++;
      else {
        accepted++;
        assertEqualAnswers(result, bytes, `seed ${seed}, round ${round}`);
      }
    }
    assert.ok(accepted > 10 && refused > 10, `${accepted} accepted, ${refused} refused`);
  });

  const trees: readonly (readonly [string, Partial<MmdbPlan>, RegExp])[] = [
    ['a node that leads to itself', { connect: [[0, 1, 0]] }, /leads to the same nodes|deeper/],
    ['a circle on the way to IPv4', { connect: [[0, 0, 0]] }, /deeper/],
    ['a circle inside IPv4', { connect: [[100, 0, 97]] }, /deeper|same nodes/],
    ['subtrees shared without end', {
      networks: [['8000::/128', record('DE')]], aliases: [], connect: Array.from({ length: 120 }, (_, i) => [i + 1, 1, i + 2] as const),
    }, /same nodes/],
    ['a record behind the data', { connect: [[5, 1, 0xfffff0]] }, /out of the data/],
    ['a record in the separator', { connect: [[5, 1, -5]] }, /out of the data/],
    ['a tree larger than the file', { metadata: { node_count: 1_000_000 } }, /does not fit/],
    ['a number of nodes that is a text', { metadata: { node_count: 'many' } }, /damaged/],
    ['a number of nodes beyond numbers', { metadata: { node_count: 2n ** 80n } }, /damaged/],
    ['a number of nodes that is not even printable', { metadata: { node_count: { toString: 1, valueOf: 1 } } }, /damaged/],
    ['an unknown record size', { metadata: { record_size: 23 } }, /damaged/],
    ['an unknown version', { metadata: { binary_format_major_version: { toString: 1 } } }, /not in version 2/],
    ['an unknown IP version', { metadata: { ip_version: 5 } }, /not in version 2/],
  ];
  for (const [what, change, message] of trees) {
    test(`${name}: ${what} is refused`, async (t) => {
      const result = await open(name, join(temporaryFolder(t), 'tree.mmdb'), writeMmdb({ ...plan, ...change }));
      assert.ok(result instanceof EtlError, 'it was accepted');
      assert.match(result.message, message);
    });
  }
}

test('a type and a date that make no sense are unknown', async (t) => {
  const file = join(temporaryFolder(t), 'odd.mmdb');
  const bytes = writeMmdb({ ...plan, metadata: { database_type: { toString: 1 }, build_epoch: 2n ** 60n } });
  const lookup = await open('kernel', file, bytes);
  assert.ok(!(lookup instanceof EtlError));
  assert.deepEqual(lookup.table.database, { type: 'unknown', buildDate: 'unknown', path: file });
});

test('what is no database is refused: missing, empty, a folder, a text, gzip', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'folder'));
  await assert.rejects(openLookup('kernel', { file: join(folder, 'missing') }), { code: 'ETL_GEO_DATABASE' });
  await assert.rejects(openLookup('kernel', { file: join(folder, 'folder') }), { code: 'ETL_GEO_DATABASE' });
  for (const bytes of [Buffer.alloc(0), Buffer.from('id,name\n1,x\n'), Buffer.from('1f8b0800', 'hex'), Buffer.alloc(300_000, 0xab)]) {
    assert.ok(await open('kernel', join(folder, 'foreign'), bytes) instanceof EtlError);
  }
});

/** A database whose one record, on every address, is made of `data`. */
function withData(data: Buffer): Buffer {
  const whole = writeMmdb({ recordSize: 24, ipVersion: 4, networks: [['0.0.0.0/1', 'RECORD'], ['128.0.0.0/1', 'RECORD']] });
  const at = whole.indexOf('RECORD') - 1;
  return Buffer.concat([whole.subarray(0, at), data, whole.subarray(at + 7)]);
}

test('records that are bombs are refused at once', async (t) => {
  const file = join(temporaryFolder(t), 'bomb.mmdb');
  const hugeArray = Buffer.from('1f04ffffff', 'hex');
  const twins = Buffer.concat(Array.from({ length: 60 }, (_, i) => {
    const next = (i + 1) * 6;
    return Buffer.from([0x02, 0x04, 0x20 | (next >> 8), next & 255, 0x20 | (next >> 8), next & 255]);
  }));
  const bombs: readonly (readonly [string, Buffer])[] = [
    ['arrays said to have 16 million items, in each other', Buffer.concat(Array.from({ length: 200 }, () => hugeArray))],
    ['a map said to have 16 million entries', Buffer.from('ffffffff', 'hex')],
    ['a pointer to itself', Buffer.from([0x20, 0x00])],
    ['arrays of two pointers to the next such array', twins],
    ['a key that is such an array', Buffer.concat([Buffer.from([0xe1, 0x20, 0x06, 0x40, 0x40, 0x40]), twins.subarray(6)])],
    ['maps in maps in maps', Buffer.concat(Array.from({ length: 5000 }, () => Buffer.from([0xe1, 0x41, 0x61])))],
    ['a text that is cut off', Buffer.from([0x5f, 0xff, 0xff, 0xff])],
  ];
  for (const [what, data] of bombs) {
    const result = await open('kernel', file, withData(data));
    assert.ok(result instanceof EtlError, `${what}: accepted`);
    assert.match(result.message, /damaged|neither/, what);
  }
});

test('metadata that are a bomb are refused at once', async (t) => {
  const whole = writeMmdb(plan);
  const start = whole.lastIndexOf('MaxMind.com') + 'MaxMind.com'.length;
  const file = join(temporaryFolder(t), 'metadata.mmdb');
  for (const bomb of ['1f04ffffff'.repeat(100), '2000', 'ffffffff', '0204200620062002', '']) {
    assert.ok(await open('kernel', file, Buffer.concat([whole.subarray(0, start), Buffer.from(bomb, 'hex')])) instanceof EtlError, bomb);
  }
});

test('a table that needs more room than was guessed is built again', async (t) => {
  // No two neighbours of one /16 have the same region: as many entries as there are nodes.
  const networks = Array.from({ length: 65536 }, (_, i) => [`7.7.${i >> 8}.${i & 255}/32`, record(`R${i % 300}`)] as const);
  const file = join(temporaryFolder(t), 'dense.mmdb');
  const bytes = writeMmdb({ recordSize: 24, ipVersion: 4, networks });
  const guess = TABLE_CHUNKS + new Reader(bytes).metadata.searchTreeSize / 2 + PAGE_BYTES;
  for (const name of sideNames) {
    const lookup = await open(name, file, bytes);
    assert.ok(!(lookup instanceof EtlError));
    assert.ok(lookup.table.bytes > guess, `${lookup.table.bytes} bytes would have fitted`);
    const texts = Array.from({ length: 5000 }, (_, i) => (i * 7919) % 65536);
    assert.deepEqual(lookup.regions(texts.map((i) => `7.7.${i >> 8}.${i & 255}`)), texts.map((i) => `R${i % 300}`));
    assert.deepEqual(lookup.regions(['7.6.255.255', '7.8.0.0']), ['ZZ', 'ZZ']);
  }
});
