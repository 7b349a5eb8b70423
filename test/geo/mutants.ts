/**
 * A program that opens mutated databases: `base seed rounds folder`. Whatever a mutation makes of one, it ends with
 * ETL_GEO_DATABASE, ETL_MEMORY or a table that answers like maxmind; anything else ends the program. Prints what came of
 * them as JSON; which round it is at stands in `folder`/round, for whoever has to kill it.
 */
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Reader, type Response } from 'maxmind';
import { EtlError } from '../../lib/core/errors.ts';
import { random } from '../random.ts';
import { writeMmdb } from './mmdb-writer.ts';
import { addressesOf, cities, isps, valueAt } from './records.ts';
import { EMBEDDED_FILE, expectedRegion, openLookup } from './sides.ts';

export interface Outcome {
  readonly opened: number;
  readonly refused: number;
  readonly slowest: { readonly seconds: number; readonly round: number };
}

type Random = () => number;
interface Base {
  readonly bytes: (round: number) => Buffer;
  readonly fields: readonly (readonly (string | number)[])[];
  readonly addresses: readonly string[];
}

const sizes = [24, 28, 32] as const;
const bases: Readonly<Record<string, Base>> = {
  city: {
    bytes: (round) => writeMmdb({ recordSize: sizes[round % 3]!, ipVersion: 6, networks: cities, aliases: ['2002::/16'] }),
    fields: [['country', 'iso_code'], ['subdivisions', 0, 'iso_code'], ['subdivisions', -1, 'iso_code'], ['location', 'latitude'], ['city', 'names', 'en']], addresses: addressesOf(cities),
  },
  isp: {
    bytes: (round) => writeMmdb({ recordSize: sizes[round % 3]!, ipVersion: 6, networks: isps }),
    fields: [['autonomous_system_number'], ['organization']], addresses: addressesOf(isps),
  },
  embedded: {
    bytes: () => readFileSync(EMBEDDED_FILE), fields: [['country_code']], addresses: [...addressesOf(cities), ...addressesOf(isps)],
  },
};

/** Heads of values and pointers, and what numbers of nodes and sizes are made of. */
const telling = ['2000', '3800000000', '3fffffffff', '1f04ffffff', 'ffffffff', '5fffffff', '0104', 'e1', 'a1', '000000', 'ffffff', '7fffffff', '00000000', 'abcdef4d61784d696e642e636f6d']
  .map((hex) => Buffer.from(hex, 'hex'));

function mutate(bytes: Buffer, next: Random): Buffer {
  const below = (limit: number): number => Math.floor(next() * limit);
  // A random place is in the tree nearly always; the records and the metadata are the last part.
  const place = (): number => (next() < 0.4 ? below(bytes.length) : next() < 0.15 ? Math.max(0, bytes.length - 1 - below(300)) : Math.floor(bytes.length * (1 - next() ** 2 / 2)) % bytes.length);
  const at = place();
  const length = 1 + below([4, 64, 1024, bytes.length][below(4)]!);
  switch (below(9)) {
    case 0: bytes[at] = bytes[at]! ^ (1 << below(8)); return bytes;
    case 1: case 8: bytes[at] = below(256); return bytes;
    case 2: return bytes.subarray(0, at);
    case 3: return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 4: bytes.fill(next() < 0.7 ? 0 : 0xff, at, Math.min(at + Math.min(length, 64), bytes.length)); return bytes;
    case 5: { const from = place(); return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + length), bytes.subarray(at)]); }
    case 6: { const from = place(); bytes.copy(bytes, at, from, from + length); return bytes; }
    default: telling[below(telling.length)]!.copy(bytes, at); return bytes;
  }
}

async function run(name: string, seed: number, rounds: number, folder: string): Promise<Outcome> {
  const base = bases[name]!;
  const next = random(seed);
  const file = join(folder, 'mutant.mmdb');
  const at = openSync(join(folder, 'round'), 'w');
  let opened = 0;
  let refused = 0;
  let slowest = { seconds: 0, round: -1 };
  for (let round = 0; round < rounds; round++) {
    writeSync(at, String(round), 0);
    let bytes: Buffer = Buffer.from(base.bytes(round));
    for (let times = next() < 0.7 ? 1 : 3; times > 0 && bytes.length > 0; times--) bytes = mutate(bytes, next);
    const keys = base.fields[round % base.fields.length]!;
    writeFileSync(file, bytes);
    const started = performance.now();
    try {
      const lookup = await openLookup('kernel', { file, field: keys.join('.') });
      const found = lookup.regions(base.addresses);
      const reader = new Reader<Response>(bytes, { cache: new Map<string | number, unknown>() });
      const wanted = base.addresses.map((address) => expectedRegion(reader, address, (record) => valueAt(record, keys)));
      assert.deepEqual(found, wanted, `round ${round}`);
      opened++;
    } catch (error) {
      if (!(error instanceof EtlError) || !['ETL_GEO_DATABASE', 'ETL_MEMORY'].includes(error.code)) throw new Error(`round ${round}`, { cause: error });
      refused++;
    }
    const seconds = (performance.now() - started) / 1000;
    if (seconds > slowest.seconds) slowest = { seconds, round };
  }
  closeSync(at);
  return { opened, refused, slowest };
}

const [name, seed, rounds, folder] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await run(name!, Number(seed), Number(rounds), folder!)));
