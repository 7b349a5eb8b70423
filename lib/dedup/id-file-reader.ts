/** Reads pages of ids from their files (id-files.ts), by an index. For one thread. */
import fs from 'node:fs';
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';
import { stateFileError } from '../core/state-file-error.ts';
import { idFileName } from './id-files.ts';
import type { PageRef } from './page-index.ts';

/** Descriptors that are kept: of the commits that have a part. */
const OPEN_MOST = 64;

export class IdFileReader {
  readonly #folder: string;
  /** By name; the one that was used last is the last. */
  readonly #descriptors = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Reads the page into the first bytes of `target`. That it begins with its checksum is looked at here, that the rest has it by who
   * uses the page. Throws ETL_STATE_READ, ETL_STATE_DAMAGED.
   */
  read(page: PageRef, target: Uint8Array): void {
    const name = idFileName(page);
    const path = join(this.#folder, name);
    for (let done = 0; done < page.bytes; ) {
      let read: number;
      try {
        read = fs.readSync(this.#descriptorOf(name, path), target, done, page.bytes - done, page.at + done);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw damaged(path, 'it is missing');
        throw stateFileError(path, 'read', cause);
      }
      if (read === 0) throw damaged(path, `it ends at byte ${page.at + done}`);
      done += read;
    }
    if (page.bytes < 8 || new DataView(target.buffer, target.byteOffset).getBigUint64(0, true) !== page.seal) {
      throw damaged(path, `the page at byte ${page.at} is not the one that was written there`);
    }
  }

  /** Idempotent. */
  close(): void {
    for (const fd of this.#descriptors.values()) close(fd);
    this.#descriptors.clear();
  }

  #descriptorOf(name: string, path: string): number {
    const fd = this.#descriptors.get(name) ?? fs.openSync(path, 'r');
    this.#descriptors.delete(name);
    this.#descriptors.set(name, fd);
    const [oldest] = this.#descriptors;
    if (this.#descriptors.size > OPEN_MOST) {
      this.#descriptors.delete(oldest![0]);
      close(oldest![1]);
    }
    return fd;
  }
}

/** Of a file that was only read: nothing is lost when it fails. */
function close(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // The system closes it with the process.
  }
}

function damaged(path: string, what: string): EtlError {
  return new EtlError('ETL_STATE_DAMAGED', `The ids in ${path} are damaged: ${what}.`, {
    hint: 'etl-stream state check says what else is. Build the result anew from all inputs with --overwrite.',
  });
}
