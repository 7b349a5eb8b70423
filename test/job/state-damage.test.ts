/** A flipped bit or a cut file anywhere in a state: a run that continues from it says so, or does what it would have done. Never a wrong total. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EtlError } from '../../lib/core/errors.ts';
import { run, type RunOptions } from '../../lib/index.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { contents } from './contents.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const SEED = Number(process.env.ETL_STATE_SEED ?? 1);
const CASES = Number(process.env.ETL_STATE_CASES ?? 15);

function rows(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `${from + i},user${(from + i) % 37},t,${1 + (i % 200)}.8.8.8,${i % 50}\n`).join('');
}

test(`damage to any file of a state is an error, or does not matter (seed ${SEED})`, async (t) => {
  const folder = temporaryFolder(t);
  const [place, aside] = [join(folder, 'place'), join(folder, 'aside')];
  const [logs, state] = [join(folder, 'logs'), join(place, 'state')];
  mkdirSync(logs);
  const options: RunOptions = { inputs: [logs], output: join(place, 'out'), state };
  writeFileSync(join(logs, 'a.csv'), HEADER + rows(0, 400));
  await run(options);
  writeFileSync(join(logs, 'b.csv'), HEADER + rows(300, 700));
  await run(options);
  writeFileSync(join(logs, 'c.csv'), HEADER + rows(600, 900));
  cpSync(place, aside, { recursive: true, verbatimSymlinks: true });
  const restore = (): void => {
    rmSync(place, { recursive: true, force: true });
    cpSync(aside, place, { recursive: true, verbatimSymlinks: true });
  };
  const before = contents(options.output!);
  await run(options);
  const expected = contents(options.output!);

  const next = random(SEED);
  const seen = { harmless: 0, found: 0 };
  for (let number = 0; number < CASES; number++) {
    restore();
    const files = readdirSync(state, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name)).filter((path) => statSync(path).size > 0);
    const path = files[number % files.length]!;
    const bytes = readFileSync(path);
    const at = Math.floor(next() * bytes.length);
    const cuts = next() < 0.3;
    if (cuts) {
      truncateSync(path, at);
    } else {
      bytes[at]! ^= 1 << Math.floor(next() * 8);
      writeFileSync(path, bytes);
    }
    const what = `${path.slice(state.length + 1)} ${cuts ? 'cut' : 'flipped'} at ${at} of ${bytes.length}`;
    let failure: unknown;
    await run(options).catch((error: unknown) => (failure = error));
    if (failure === undefined) {
      assert.deepEqual(contents(options.output!), expected, what);
      seen.harmless++;
    } else {
      assert.ok(failure instanceof EtlError && /^ETL_STATE_/.test(failure.code), `${what}: ${String(failure)}`);
      assert.deepEqual(contents(options.output!), before, what);
      seen.found++;
    }
  }
  assert.ok(seen.found > 0 && seen.harmless > 0, JSON.stringify(seen));
});
