"""What ../report-usage.cjs does for Node: a peer's CPU time and peak memory, its JVM's included, as JSON in $BENCH_USAGE.

Peak memory is the kernel's VmHWM of each process. Processes that live side by side are added up; of phases that follow
one another the largest counts: `end_phase()` notes the peak so far and lets the kernel begin anew.
"""
import json
import os
import re

peaks = []


def peak(pid='self') -> int:
    with open(f'/proc/{pid}/status') as status:
        return int(re.search(r'^VmHWM:\s*(\d+) kB$', status.read(), re.M)[1]) * 1024


def end_phase() -> None:
    peaks.append(peak())
    with open('/proc/self/clear_refs', 'w') as clear:
        clear.write('5')


def report(children_peak: int = 0) -> None:
    """At the very end: children must have been waited for, or their CPU time is not in."""
    file = os.environ.get('BENCH_USAGE')
    if file:
        peaks.append(peak() + children_peak)
        times = os.times()
        cpu = times.user + times.system + times.children_user + times.children_system
        with open(file, 'w') as usage:
            json.dump({'cpuSeconds': cpu, 'peakRss': max(peaks)}, usage)
