/**
 * Files of pages of ids, in the folder of a state: written once, by one run, then only read, and removed when no index has a
 * page of them any more.
 *
 *   ids-<edition>-<part>.pages    pages one behind the other, as they came; the edition is that of the index that counts them
 *
 * Slices are in 1 or 8 parts, of neighbours, so that a run that merges the pages of one part leaves whole files behind, and a
 * partition of a run reads few files, from their beginning to their end. Merged pages, which live longer, are in parts of their own:
 * the part's number is 8 times the tier of the page (page-tiers.ts; 0 of a new one), and which neighbours.
 *
 * Descriptors and numbers are plain data, so that all threads of a run write to the same files: each page takes its place by adding to the
 * file's length, in shared memory. Small ones are gathered. Calls are synchronous: they are few, and for the system's page cache.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EtlError } from '../core/errors.ts';
import { stateFileError } from '../core/state-file-error.ts';
import { ID_SLICE_BITS } from '../kernels/id-page-layout.ts';
import type { PageFile } from './page-index.ts';

/** log2 of parts: of a large run, and of a small one, for which files cost more than the space. */
export const PART_BITS = { many: 3, one: 0 } as const;
const PARTS = 1 << PART_BITS.many;
/** Of all tiers. */
const PARTS_MOST = 8 * PARTS;
/** Pages of one file that are written at once. */
const GATHER_BYTES = 64 << 10;
const FILE_NAME = /^ids-(\d+)-(\d+)\.pages$/;

const syncDescriptor = promisify(fs.fsync);

export function idFileName({ edition, part }: PageFile): string {
  return `ids-${edition}-${part}.pages`;
}

export function isIdFileName(name: string): boolean {
  return FILE_NAME.test(name);
}

/** Where a page is. */
export type PagePlace = PageFile & { readonly at: number };

/** What threads need to write to the same files: plain data. */
export interface HandedWriter {
  readonly folder: string;
  readonly edition: number;
  readonly partBits: number;
  /** Of each part of new pages. */
  readonly descriptors: readonly number[];
  /** Of each part: bytes taken. */
  readonly lengths: BigInt64Array<SharedArrayBuffer>;
}

/** Writes the files of one edition. */
export class IdFileWriter {
  readonly #handed: Omit<HandedWriter, 'descriptors'>;
  readonly #descriptors: (number | undefined)[];
  /** Of one part; who is to be told where each of them is, and where in the buffer. */
  #buffer = new Uint8Array(0);
  #gathered: { readonly from: number; readonly placed: (place: PagePlace) => void }[] = [];
  #bytes = 0;
  #part = 0;
  #isClosed = false;

  /** Makes files when they are needed, over what a killed process left. Those of `handed` are another's, who closes them. */
  constructor(handed: Pick<HandedWriter, 'folder' | 'edition' | 'partBits'> & Partial<HandedWriter>) {
    const { folder, edition, partBits, lengths = new BigInt64Array(new SharedArrayBuffer(8 * PARTS_MOST)), descriptors = [] } = handed;
    this.#handed = { folder, edition, partBits, lengths };
    this.#descriptors = [...descriptors];
  }

  /** For other threads; this one closes the files. Throws ETL_STATE_WRITE. */
  handOver(): HandedWriter {
    return { ...this.#handed, descriptors: Array.from({ length: 1 << this.#handed.partBits }, (_, part) => this.#descriptorOf(part)) };
  }

  /** Adds a page, whose bytes may be reused then; `placed` is told where it is, at `flush` the latest. `tier`: of a merged one. Throws ETL_STATE_WRITE. */
  append(slice: number, page: Uint8Array, tier: number, placed: (place: PagePlace) => void): void {
    const { edition, partBits } = this.#handed;
    const part = PARTS * tier + (slice >> (ID_SLICE_BITS - partBits));
    if (part !== this.#part || this.#bytes + page.length > GATHER_BYTES) this.flush();
    if (page.length > GATHER_BYTES) return placed({ edition, part, at: this.#write(part, page) });
    if (this.#buffer.length === 0) this.#buffer = new Uint8Array(GATHER_BYTES);
    this.#buffer.set(page, this.#bytes);
    this.#gathered.push({ from: this.#bytes, placed });
    this.#bytes += page.length;
    this.#part = part;
  }

  /** Writes what was gathered. Throws ETL_STATE_WRITE. */
  flush(): void {
    if (this.#bytes === 0) return;
    const part = this.#part;
    const at = this.#write(part, this.#buffer.subarray(0, this.#bytes));
    for (const { from, placed } of this.#gathered) placed({ edition: this.#handed.edition, part, at: at + from });
    this.#gathered = [];
    this.#bytes = 0;
  }

  /** At the end of the part's file; gives where. */
  #write(part: number, page: Uint8Array): number {
    const fd = this.#descriptorOf(part);
    const at = Number(Atomics.add(this.#handed.lengths, part, BigInt(page.length)));
    try {
      for (let done = 0; done < page.length; ) {
        const written = fs.writeSync(fd, page, done, page.length - done, at + done);
        if (written === 0) throw new Error('the file system takes no more bytes');
        done += written;
      }
    } catch (cause) {
      throw stateFileError(this.#pathOf(part), 'write', cause);
    }
    return at;
  }

  /** Whatever was written is on the disk then, but for the folder's entries. Throws ETL_STATE_WRITE. */
  async sync(): Promise<void> {
    this.flush();
    const ends = await Promise.allSettled(this.#opened().map(([fd, path]) => syncDescriptor(fd).catch((cause: unknown) => {
      throw stateFileError(path, 'write', cause);
    })));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** Closes what this thread opened, and `removes` it; what was gathered and not written is lost. Throws ETL_STATE_WRITE. */
  close({ removes }: { readonly removes: boolean }): void {
    this.#isClosed = true;
    let failure: unknown;
    for (const [fd, path] of this.#opened()) {
      try {
        fs.closeSync(fd);
        if (removes) fs.unlinkSync(path);
      } catch (cause) {
        failure ??= stateFileError(path, 'write', cause);
      }
    }
    this.#descriptors.length = 0;
    if (failure !== undefined) throw failure;
  }

  #opened(): [fd: number, path: string][] {
    return this.#descriptors.flatMap((fd, part) => (fd === undefined ? [] : [[fd, this.#pathOf(part)] as [number, string]]));
  }

  #descriptorOf(part: number): number {
    const known = this.#descriptors[part];
    if (known !== undefined) return known;
    if (this.#isClosed) throw new EtlError('ETL_INTERNAL', `A page of ids was written to part ${part} after its files were closed.`);
    const path = this.#pathOf(part);
    try {
      return this.#descriptors[part] = fs.openSync(path, 'w');
    } catch (cause) {
      throw stateFileError(path, 'write', cause);
    }
  }

  #pathOf(part: number): string {
    return join(this.#handed.folder, idFileName({ edition: this.#handed.edition, part }));
  }
}
