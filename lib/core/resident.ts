/** Resident memory of this process, in bytes. */
import { readFileSync } from 'node:fs';

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
