/**
 * A temporary file of another thread, read by its descriptor, which all threads of a process share. Its owner keeps it open
 * until it is told that it was read.
 */
import { read as readDescriptor } from 'node:fs';
import { promisify } from 'node:util';
import type { EtlError } from '../core/errors.ts';
import { readAt, tempDamaged, type HandedSpillFile } from './spill-space.ts';

const readFrom = promisify(readDescriptor);

export class BorrowedFile {
  readonly #file: HandedSpillFile;

  constructor(file: HandedSpillFile) {
    this.#file = file;
  }

  /** As SpillFile does. */
  read(target: Uint8Array, position: number): Promise<void> {
    const { path, fd } = this.#file;
    return readAt(path, (offset, length, at) => readFrom(fd, target, offset, length, at), target.length, position);
  }

  /** As SpillFile does. */
  damaged(position: number): EtlError {
    return tempDamaged(this.#file.path, position);
  }
}
