/** A disk that can be watched, held up and made to fail. */
import { mkdir, open } from 'node:fs/promises';
import { readdirSync, readlinkSync } from 'node:fs';
import type { PartFileSystem } from '../../lib/parquet/part-writer.ts';

export interface Disk extends PartFileSystem {
  calls: string[];
  open_: number;
}

/** The real disk; `before` runs before every call and may throw or wait. */
export function disk(before: (call: string, n: number) => unknown = () => undefined, writeLimit = Infinity): Disk {
  const call = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    watched.calls.push(name);
    await before(name, watched.calls.length - 1);
    return work();
  };
  const watched: Disk = {
    calls: [],
    open_: 0,
    mkdir: (path) => call('mkdir', () => mkdir(path)),
    open: (path, flags) => call('open', async () => {
      const handle = await open(path, flags);
      watched.open_++;
      return {
        writev: ((parts: Uint8Array[]) =>
          call('write', () => handle.writev(writeLimit < Infinity ? [parts[0]!.subarray(0, writeLimit)] : parts))) as typeof handle.writev,
        sync: () => call('sync', () => handle.sync()),
        close: async () => {
          watched.open_--;
          await handle.close(); // a close that fails has closed all the same
          await call('close', async () => undefined);
        },
      };
    }),
  };
  return watched;
}

/** Paths of this process's open files under a folder (Linux). */
export function openFilesUnder(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the descriptor of this very listing
    }
  }).filter((path) => path.startsWith(folder));
}
