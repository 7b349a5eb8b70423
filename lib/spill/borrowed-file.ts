/**
 * A temporary file of another thread, read by its descriptor, which all threads of a process share. Its owner keeps it open
 * until it is told that it was read.
 */
import { read as readDescriptor } from 'node:fs';
import { promisify } from 'node:util';
import type { EtlError } from '../core/errors.ts';
import { readAt, readPieces, tempDamaged, type HandedSpillFile, type Piece } from './spill-space.ts';

/** The call that touches the disk, so that a test can make it fail. */
export type DescriptorRead = (fd: number, target: Uint8Array, offset: number, length: number, at: number) => Promise<{ bytesRead: number }>;

const readFrom: DescriptorRead = promisify(readDescriptor);

export class BorrowedFile {
  readonly #file: HandedSpillFile;
  readonly #read: DescriptorRead;

  constructor(file: HandedSpillFile, read = readFrom) {
    this.#file = file;
    this.#read = read;
  }

  /** As SpillFile does. */
  read(target: Uint8Array, position: number): Promise<void> {
    const { path, fd } = this.#file;
    return readAt(path, (offset, length, at) => this.#read(fd, target, offset, length, at), target.length, position);
  }

  /** As SpillFile does. */
  readAll(pieces: readonly Piece[]): Promise<void> {
    return readPieces(this, pieces);
  }

  /** As SpillFile does. */
  damaged(position: number): EtlError {
    return tempDamaged(this.#file.path, position);
  }
}
