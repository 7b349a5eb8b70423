/**
 * Many runs in few files: a run that waits to be merged keeps no descriptor of its own. A file takes RUNS_PER_FILE runs, one
 * being written at a time, and is closed with the last of them, so that space comes back as runs are merged.
 */
import type { EtlError } from '../core/errors.ts';
import { BorrowedFile } from './borrowed-file.ts';
import type { HandedSpillFile, SpillFile, SpillSpace } from './spill-space.ts';

export const RUNS_PER_FILE = 64;

/** What another thread reads a section by: plain data. */
export interface HandedSection extends HandedSpillFile {
  readonly start: number;
  readonly size: number;
}

/** What is needed of a section to read it. */
export type ReadableSection = Pick<FileSection, 'size' | 'read' | 'damaged' | 'close'>;

export class SharedFiles {
  readonly #spill: SpillSpace;
  readonly #purpose: string;
  #latest: SharedFile | undefined;

  /** `purpose` is part of the files' names. */
  constructor(spill: SpillSpace, purpose: string) {
    this.#spill = spill;
    this.#purpose = purpose;
  }

  /** An empty section, at the end of a file that nobody writes, or in a new one. Throws ETL_TEMP_WRITE. */
  async create(): Promise<FileSection> {
    if (!this.#latest?.takesMore) this.#latest = new SharedFile(await this.#spill.create(this.#purpose));
    return this.#latest.begin();
  }
}

class SharedFile {
  readonly file: SpillFile;
  #begun = 0;
  #open = 0;
  #writing = false;

  constructor(file: SpillFile) {
    this.file = file;
  }

  get takesMore(): boolean {
    return !this.#writing && this.#open > 0 && this.#begun < RUNS_PER_FILE;
  }

  begin(): FileSection {
    this.#begun++;
    this.#open++;
    this.#writing = true;
    return new FileSection(this, this.file.size);
  }

  /** The section that was begun last is complete, or given up. */
  endWriting(): void {
    this.#writing = false;
  }

  async leave(): Promise<void> {
    if (--this.#open === 0) await this.file.close();
  }
}

/** A part of a file, in one piece, as if it were a file. */
export class FileSection {
  /** Bytes appended. */
  size = 0;
  readonly #shared: SharedFile;
  readonly #start: number;
  #complete = false;
  #closed = false;

  /** Made by SharedFiles.create. */
  constructor(shared: SharedFile, start: number) {
    this.#shared = shared;
    this.#start = start;
  }

  /** See SpillFile. */
  append(parts: readonly Uint8Array[]): Promise<void> {
    for (const { length } of parts) this.size += length;
    return this.#shared.file.append(parts);
  }

  read(target: Uint8Array, position: number): Promise<void> {
    return this.#shared.file.read(target, this.#start + position);
  }

  damaged(position: number): EtlError {
    return this.#shared.file.damaged(this.#start + position);
  }

  /** For another thread; the section must not be closed while it is read. Throws ETL_TEMP_WRITE. */
  handOver(): HandedSection {
    return { ...this.#shared.file.handOver(), start: this.#start, size: this.size };
  }

  /** Nothing more will be appended: the file may take another. Idempotent. */
  complete(): void {
    if (!this.#complete) this.#shared.endWriting();
    this.#complete = true;
  }

  /** Gives it up; idempotent. Reads and writes that are under way must have ended. */
  async close(): Promise<void> {
    this.complete();
    if (this.#closed) return;
    this.#closed = true;
    await this.#shared.leave();
  }
}

/** A section of another thread's file. `close` is what its own tells that thread. */
export function borrowSection({ start, size, ...file }: HandedSection, close: () => Promise<void>): ReadableSection {
  const borrowed = new BorrowedFile(file);
  return {
    size,
    read: (target, position) => borrowed.read(target, start + position),
    damaged: (position) => borrowed.damaged(start + position),
    close,
  };
}
