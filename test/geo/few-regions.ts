/** An IP database of few regions for all addresses: a job writes a file per region, and the embedded database has 250. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeMmdb } from './mmdb-writer.ts';

/** 2^`bits` regions of as many IPv4 addresses each, at most 32, and eight of IPv6. */
export function fewRegions(bits = 5): Uint8Array {
  return writeMmdb({
    recordSize: 28, ipVersion: 6,
    networks: [
      ...Array.from({ length: 2 ** bits }, (_, i): [string, unknown] => [`${(i * 256) / 2 ** bits}.0.0.0/${bits}`, { country_code: `N${i}` }]),
      ...Array.from({ length: 8 }, (_, i): [string, unknown] => [`2${i}00::/8`, { country_code: `S${i}` }]),
    ],
  });
}

/** A file of it, while the process is there. */
export const fewRegionsFile = join(mkdtempSync(join(tmpdir(), 'etl-stream-test-')), 'few.mmdb');
writeFileSync(fewRegionsFile, fewRegions());
process.once('exit', () => rmSync(dirname(fewRegionsFile), { recursive: true, force: true }));
