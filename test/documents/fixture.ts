/** What lies in the folder in which a document's commands are entered: small things with the names that documents use. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateLogs } from '../../lib/generate/generate.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';

export async function prepare(folder: string): Promise<void> {
  await generateLogs({ folder: join(folder, 'logs'), files: 2, size: 400_000, users: 100, duplicates: 0.08, badRows: 0.01, seed: 1, overwrite: false });
  await mkdir(join(folder, 'semicolons'));
  await writeFile(join(folder, 'semicolons/logs.csv'), [
    'log_id;user_id;timestamp;ip_address;watch_time(min)', 'a1;ann;2026-11-29;80.1.2.3;12', 'a2;ben;2026-11-29;80.1.2.4;30', '',
  ].join('\n'));
  const networks = (low: unknown, high: unknown) => [['0.0.0.0/1', low], ['128.0.0.0/1', high]] as const;
  await writeFile(join(folder, 'GeoLite2-City.mmdb'), writeMmdb({
    recordSize: 24, ipVersion: 4, networks: networks({ subdivisions: [{ iso_code: 'CA' }] }, { subdivisions: [{ iso_code: 'BY' }] }),
  }));
  await writeFile(join(folder, 'GeoLite2-ASN.mmdb'), writeMmdb({
    recordSize: 24, ipVersion: 4, networks: networks({ autonomous_system_number: 3320 }, { autonomous_system_number: 15169 }),
  }));
}
