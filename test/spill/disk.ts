/** File systems for tests of spilling: the real one with a fault, and a spill space on it. */
import { open, unlink } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { newCounters, type Counters } from '../../lib/core/counters.ts';
import { SpillSpace, type SpillFileSystem, type SpillHandle } from '../../lib/spill/spill-space.ts';
import { temporaryFolder } from '../temporary.ts';

export type Faults = Partial<{
  open(): void;
  unlink(): void;
  close(): void;
  /** How many of so many bytes are written, or read, by one call. */
  write(bytes: number): number;
  read(bytes: number): number;
  /** Changes what was read. */
  damage(bytes: Uint8Array, position: number): void;
}>;

/** An error of the system. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}

export function faultyDisk(faults: Faults): SpillFileSystem {
  return {
    async open(path, flags, mode) {
      faults.open?.();
      const file = await open(path, flags, mode);
      return {
        fd: file.fd,
        writev: (parts: Uint8Array[], at: number) => {
          let left = faults.write?.(parts.reduce((sum, { length }) => sum + length, 0)) ?? Infinity;
          const cut = parts.map((part) => {
            const taken = part.subarray(0, Math.min(part.length, left));
            left -= taken.length;
            return taken;
          });
          return file.writev(cut, at);
        },
        read: async (target: Uint8Array, offset: number, length: number, at: number) => {
          const result = await file.read(target, offset, faults.read?.(length) ?? length, at);
          faults.damage?.(target.subarray(offset, offset + result.bytesRead), at);
          return result;
        },
        close: async () => {
          await file.close();
          faults.close?.();
        },
      } as SpillHandle;
    },
    async unlink(path) {
      faults.unlink?.();
      await unlink(path);
    },
  };
}

export interface TestSpace {
  readonly spill: SpillSpace;
  readonly folder: string;
  readonly counters: Counters;
}

export function spillSpace(context: TestContext, faults: Faults = {}, maxBytes?: number): TestSpace {
  const folder = temporaryFolder(context);
  const counters = newCounters();
  return { spill: new SpillSpace({ folder, counters, maxBytes, fs: faultyDisk(faults) }), folder, counters };
}
