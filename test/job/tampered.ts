/** A published dataset that is changed by hand: what it says of itself can be made to agree with the change, so that only the rows tell. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { newCounters } from '../../lib/core/counters.ts';
import { DATASET_FILE, fileMetadata, type DatasetDescription } from '../../lib/dataset/description.ts';
import { openPart } from '../../lib/parquet/read-part.ts';
import { createParquetStage } from '../../lib/parquet/stage.ts';
import { readStruct, writeStruct, type Struct } from '../../lib/parquet/thrift.ts';
import { resultBatch, type Row } from '../parquet/batches.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Mutable<Item>[] : T[Key] extends object ? Mutable<T[Key]> : T[Key] };

export class Tampered {
  /** Without links. */
  readonly folder: string;

  constructor(output: string) {
    this.folder = realpathSync(output);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  get description(): Mutable<DatasetDescription> {
    return JSON.parse(readFileSync(this.path(DATASET_FILE), 'utf8')) as Mutable<DatasetDescription>;
  }

  /** The name of its file of most rows. */
  get largest(): string {
    return this.description.files.reduce((most, file) => (most.rows >= file.rows ? most : file)).path;
  }

  describe(change: (description: Mutable<DatasetDescription>) => void): void {
    const { description } = this;
    change(description);
    writeFileSync(this.path(DATASET_FILE), JSON.stringify(description));
  }

  /** Changes a file's bytes, and what the description says of them. */
  change(name: string, change: (bytes: Buffer) => Uint8Array): void {
    const bytes = change(readFileSync(this.path(name)));
    writeFileSync(this.path(name), bytes);
    this.agree(name, bytes);
  }

  /** Makes the description say what the file is. */
  agree(name: string, bytes: Uint8Array = readFileSync(this.path(name)), rows?: number): void {
    this.describe(({ files }) => {
      let file = files.find(({ path }) => path === name);
      if (!file) files.push((file = { path: name, rows: 0, bytes: 0 }));
      Object.assign(file, { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), ...(rows !== undefined && { rows }) });
    });
  }

  /** Changes a file's metadata, and what stands before it. */
  metadata(name: string, change: (metadata: Struct, bytes: Buffer) => void): void {
    this.change(name, (bytes) => {
      const end = bytes.length - 8;
      const start = end - bytes.readUInt32LE(end);
      const metadata = readStruct(bytes.subarray(start, end));
      change(metadata, bytes);
      const written = writeStruct(metadata);
      const tail = Buffer.from('....PAR1');
      tail.writeUInt32LE(written.length);
      return Buffer.concat([bytes.subarray(0, start), written, tail]);
    });
  }

  async rows(name: string): Promise<Row[]> {
    const part = await openPart(this.path(name));
    const rows: Row[] = [];
    for (const group of part.rowGroups) {
      const [users, totals, counts] = [await group.texts('user_id'), await group.integers('total_watch_time'), await group.integers('log_count')];
      const regions = part.region === undefined ? await group.texts('geo_region') : undefined;
      users.forEach((user, row) => rows.push({ region: part.region ?? Buffer.from(regions![row]!).toString(), user, total: totals[row]!, count: counts[row]! }));
    }
    return rows;
  }

  /** Replaces a file by one of other rows, written as any other; of several lists, by as many parts. */
  async rewrite(name: string, change: (rows: Row[]) => Row[][]): Promise<void> {
    const { groupBy, valueScale: scale, ...description } = this.description;
    const lists = change(await this.rows(name));
    const stage = createParquetStage({
      folder: this.folder, groupBy: groupBy as 'region' | 'user', scale, compression: 'zstd', encoding: 'auto', version: description.version,
      metadata: fileMetadata(description), counters: newCounters(), partBytes: 1,
      fs: { mkdir: (path) => mkdir(path, { recursive: true }), open },
    });
    rmSync(this.path(name));
    await pipeline(Readable.from(lists.map((rows) => resultBatch(rows, { groupBy: groupBy as 'region' | 'user' }))), stage);
    for (const { path, rows } of stage.files) this.agree(path, undefined, rows);
    this.describe(({ files }) => files.sort((a, b) => (a.path < b.path ? -1 : 1)));
  }

  /** Puts back, when it is called, all that there is now. */
  snapshot(): () => void {
    const names = (): string[] => readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile()).map((entry) => relative(this.folder, join(entry.parentPath, entry.name)));
    const all = new Map(names().map((name) => [name, readFileSync(this.path(name))]));
    return () => {
      for (const name of names()) if (!all.has(name)) rmSync(this.path(name));
      for (const [name, bytes] of all) if (!existsSync(this.path(name)) || !readFileSync(this.path(name)).equals(bytes)) writeFileSync(this.path(name), bytes);
    };
  }

  files(): string[] {
    return readdirSync(this.folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet')).sort();
  }
}
