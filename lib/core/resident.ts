/** Resident memory of this process, in bytes. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** As it is now. */
export function residentBytes(): number {
  return process.memoryUsage.rss();
}

/**
 * The most there ever was. Linux: VmHWM, since maxRSS begins with the size of the process that started this one;
 * elsewhere maxRSS, which Node gives in kilobytes on every platform.
 */
export function peakResidentBytes(): number {
  const kilobytes = process.platform === 'linux' ? /^VmHWM:\s*(\d+) kB/m.exec(statusOfProcess())?.[1] : undefined;
  return Number(kilobytes ?? process.resourceUsage().maxRSS) * 1024;
}

function statusOfProcess(): string {
  try {
    return readFileSync('/proc/self/status', 'latin1');
  } catch {
    return ''; // no /proc in here
  }
}

/**
 * From now on V8 keeps its heap small, for the rest of the process: the young generation stays at 1 MB instead of up to 16
 * for each half, and the old one is collected when it grew by a third, not by several times (10 GB at 128 MB: 15 MB of
 * heap instead of 28). A run makes some kilobytes of garbage a batch, so that collecting more often costs next to nothing.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=30');
}

/** From now on V8 decides again: where there is memory for it, a run collects a third as often. */
export function letHeapGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
  setFlagsFromString('--heap-growing-percent=0');
}

/**
 * From now on V8 does without Maglev, for the rest of the process: the compiler before its last one, in Node from 22 on. It
 * compiles some 450 functions a run, which costs 4 MB; what a run does a million times is WASM and takes as long without.
 */
export function compileLess(): void {
  setFlagsFromString('--no-maglev');
}

/**
 * Frees what earlier runs in this process left to the garbage collector: above all their linear memory, which V8 takes for
 * a small object. Takes some 20 ms: what was found dead is given back by other threads, until nothing more is.
 */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  let before = Infinity;
  for (let round = 0; round < 8 && (round < 2 || residentBytes() < before - 1e6); round++) {
    before = residentBytes();
    gc();
    await sleep(5);
  }
}
