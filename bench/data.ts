/** The benchmarks' input, made once under bench/data/ and used again while the generator and its arguments stay. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { generateDefaults, generateLogs } from '../lib/generate/generate.ts';
import type { GeneratedLogs, LogShape } from '../lib/generate/generate.ts';
import { embeddedDatabase } from '../test/oracle/duckdb.ts';
import { exportRanges } from './ranges.ts';

export interface Data extends Omit<GeneratedLogs, 'files'> {
  folder: string;
  /** Paths, in input order. */
  files: string[];
  bytes: number;
  shape: LogShape;
}

const root = fileURLToPath(new URL('data/', import.meta.url));
const generator = fileURLToPath(new URL('../lib/generate/', import.meta.url));

/** Logs of a shape; `rows` cuts the first file after that many rows. */
export async function benchmarkLogs(shape: Partial<LogShape> & { rows?: number }): Promise<Data> {
  const { rows: rowLimit, ...given } = shape;
  const full: LogShape = { ...generateDefaults, ...given };
  const sources = readdirSync(generator).sort().map((name) => readFileSync(join(generator, name)));
  const key = createHash('sha256').update(JSON.stringify([full, rowLimit])).update(Buffer.concat(sources)).digest('hex').slice(0, 12);
  const name = `${full.size}-${full.files}-${full.seed}-`;
  const folder = join(root, name + key);
  const about = `${folder}.json`;
  if (!existsSync(about)) {
    mkdirSync(root, { recursive: true });
    for (const old of readdirSync(root).filter((entry) => entry.startsWith(name))) rmSync(join(root, old), { recursive: true });
    process.stderr.write(`making ${full.size / 1e6} MB of logs in ${folder}\n`);
    const { files, ...counts } = await generateLogs({ ...full, folder });
    if (rowLimit !== undefined) {
      const lines = readFileSync(files[0]!.path, 'latin1').split('\n');
      files[0]!.bytes = Buffer.byteLength(lines.slice(0, rowLimit + 1).join('\n') + '\n');
      writeFileSync(files[0]!.path, lines.slice(0, rowLimit + 1).join('\n') + '\n');
      counts.rows = Math.min(counts.rows, rowLimit);
    }
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    writeFileSync(about, JSON.stringify({ ...counts, folder, files: files.map(({ path }) => path), bytes, shape: full } satisfies Data));
  }
  return JSON.parse(readFileSync(about, 'utf8')) as Data;
}

/** The logs of all files in one file with one header, beside their folder. */
export async function oneFile({ folder, files }: Data): Promise<string> {
  const path = `${folder}-one.csv`;
  if (existsSync(path)) return path;
  const part = `${path}.part`;
  for (const [at, file] of files.entries()) {
    const start = at === 0 ? 0 : (await readFirstLine(file)).length + 1;
    await pipeline(createReadStream(file, { start }), createWriteStream(part, { flags: at === 0 ? 'w' : 'a' }));
  }
  renameSync(part, path);
  return path;
}

async function readFirstLine(file: string): Promise<string> {
  for await (const chunk of createReadStream(file, { encoding: 'latin1', end: 4095 })) return (chunk as string).split('\n', 1)[0]!;
  return '';
}

/** The folder with the range tables of the embedded database. */
export async function benchmarkRanges(): Promise<string> {
  const maker = readFileSync(new URL('ranges.ts', import.meta.url));
  const key = createHash('sha256').update(maker).update(readFileSync(embeddedDatabase)).digest('hex').slice(0, 12);
  const folder = join(root, `ranges-${key}`);
  if (!existsSync(join(folder, 'done'))) {
    process.stderr.write('making range tables of the IP database\n');
    await exportRanges(embeddedDatabase, folder);
    writeFileSync(join(folder, 'done'), '');
  }
  return folder;
}

/** Reads the files once, so that every run finds them in the page cache. */
export async function warm(files: readonly string[]): Promise<void> {
  const block = Buffer.allocUnsafe(1 << 20);
  for (const path of files) {
    const handle = await open(path);
    while ((await handle.read(block)).bytesRead > 0);
    await handle.close();
  }
}
