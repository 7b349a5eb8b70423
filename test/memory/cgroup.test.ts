/**
 * The program in a control group of 256 MB, with the default budget: it finishes, stays inside, and gives what a run
 * without a limit gives. Needs the right to make a control group (root), and is skipped without it. ETL_CGROUP_GB: size of
 * the logs, 0.3 by default; `npm run test:cgroup` takes 10.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { generateLogs } from '../../lib/generate/generate.ts';
import type { Summary } from '../../lib/index.ts';
import { PROGRAM } from '../cli/program.ts';
import { contents } from '../job/contents.ts';
import { temporaryFolder } from '../temporary.ts';

const LIMIT = 256 << 20;
const GIGABYTES = Number(process.env.ETL_CGROUP_GB ?? 0.3);
const run = promisify(execFile);

/** A new control group with a memory limit; undefined where none can be made. */
function makeGroup(): { path: string; peak(): number; remove(): void } | undefined {
  const name = `etl-stream-test-${process.pid}`;
  for (const [root, limit, peak] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.max_usage_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max', 'memory.peak'],
  ] as const) {
    const path = join(root, name);
    try {
      if (!existsSync(join(root, 'cgroup.procs'))) continue;
      if (limit === 'memory.max') writeFileSync(join(root, 'cgroup.subtree_control'), '+memory');
      mkdirSync(path);
    } catch {
      continue;
    }
    try {
      writeFileSync(join(path, limit), String(LIMIT));
      return { path, peak: () => Number(readFileSync(join(path, peak), 'utf8')), remove: () => rmdirSync(path) };
    } catch {
      rmdirSync(path);
    }
  }
  return undefined;
}

test(`${GIGABYTES} GB in a control group of 256 MB`, async (context) => {
  const group = makeGroup();
  if (!group) return context.skip('no control group can be made here');
  context.after(() => group.remove());
  const folder = temporaryFolder(context);
  const logs = join(folder, 'logs');
  await generateLogs({ folder: logs, size: GIGABYTES * 1e9, files: GIGABYTES > 4 ? 16 : 4 });
  const program = (output: string, ...more: string[]): string[] => [PROGRAM, logs, '--no-state', '-o', join(folder, output), '--json', ...more];

  const enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
  const inside = JSON.parse((await run('sh', ['-c', enter, group.path, process.execPath, ...program('inside')])).stdout) as Summary;
  const outside = JSON.parse((await run(process.execPath, program('outside', '--memory', '2GB'))).stdout) as Summary;

  assert.equal(inside.memory.limit, LIMIT / 2, 'half of what the control group has');
  assert.ok(inside.memory.peakRss <= inside.memory.limit, `peak RSS ${inside.memory.peakRss / 1e6} MB`);
  assert.ok(group.peak() <= LIMIT, `the group had ${group.peak() / 1e6} MB`);
  assert.ok(inside.spill.rows > 0 && inside.runs.spilled > 0, JSON.stringify([inside.spill, inside.runs]));
  assert.deepEqual(inside.rows, outside.rows);
  assert.deepEqual(contents(join(folder, 'inside')), contents(join(folder, 'outside')));
  const { seconds, memory, spill, runs } = inside;
  context.diagnostic(JSON.stringify({ seconds, memory, spill, runs, withoutLimit: outside.seconds, rows: inside.rows }));
});
