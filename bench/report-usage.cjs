// Preloaded into every measured process (node --require): at exit it writes what the process used to $BENCH_USAGE.
// Peak memory is the kernel's VmHWM of this very program. ru_maxrss, which /usr/bin/time and resourceUsage() give, starts
// at the resident size of the process that forked us, and would report a large parent as ours.
const { readFileSync, writeFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

if (isMainThread && process.env.BENCH_USAGE) {
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    let peak = maxRSS * 1024;
    try {
      peak = Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]) * 1024;
    } catch {} // not Linux
    writeFileSync(process.env.BENCH_USAGE, JSON.stringify({ cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakRss: peak }));
  });
}
