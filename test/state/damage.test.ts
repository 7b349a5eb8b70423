/** Every file of a small state, damaged: what comes out is what went in, or an error that says so. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { EtlError, messageOf } from '../../lib/core/errors.ts';
import { crc32c } from '../../lib/state/crc32c.ts';
import { damageOfTables } from '../../lib/state/level-tables.ts';
import { State } from '../../lib/state/state.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { contentsOf, Series, type Contents } from './model.ts';

const SEED = Number(process.env.ETL_STATE_SEED ?? 1);
const CASES = Number(process.env.ETL_STATE_CASES ?? 15);
const WRITES = 15;
// The log has more than one block, of 32 KB: LevelDB drops what is damaged of one, and reads the next.
const INDEX_BYTES = 8000;
/** After so many: all is compacted; and the state is opened for the last time. */
const [COMPACTED, LAST_OPENED] = [4, 6];

interface Made {
  /** What it held after each write. */
  readonly history: readonly Contents[];
  /** Bytes that the log of the last writes had after each of them. */
  readonly logBytes: ReadonlyMap<number, number>;
}

/** A state of tables on two levels and a log that has the last writes. */
async function makeState(folder: string): Promise<Made> {
  const series = new Series({ seed: SEED, indexBytes: INDEX_BYTES });
  const history = [series.contents];
  const logBytes = new Map<number, number>();
  const level = join(folder, 'level');
  let state: State | undefined;
  for (let write = 1; write <= WRITES; write++) {
    state ??= await State.open(folder, { create: true });
    const isLast = write > LAST_OPENED;
    if (write === LAST_OPENED + 1) logBytes.set(LAST_OPENED, 0);
    await series.write(state);
    history.push(series.contents);
    if (isLast) {
      logBytes.set(write, statSync(join(level, theLog(level))).size);
      continue;
    }
    if (write === COMPACTED) await state.compact();
    await state.close();
    state = undefined;
  }
  await state?.close();
  return { history, logBytes };
}

function theLog(level: string): string {
  const logs = readdirSync(level).filter((name) => name.endsWith('.log'));
  assert.equal(logs.length, 1);
  return logs[0]!;
}

type Found = 'damaged when opened' | 'damaged when read' | number;

/** After how many writes the state is as it is; or it says that it is damaged. Throws for anything else. */
async function lookInto(folder: string, history: readonly Contents[]): Promise<Found> {
  let state: State;
  try {
    state = await State.open(folder);
  } catch (error) {
    return damage(error, 'damaged when opened');
  }
  try {
    const contents = await contentsOf(state);
    const write = history.findIndex((made) => isDeepStrictEqual(contents, made));
    assert.ok(write >= 0, `the state is of commit ${contents.head?.commit}, and not as that was`);
    assert.deepEqual(await state.check(), []);
    return write;
  } catch (error) {
    const found = damage(error, 'damaged when read');
    assert.notDeepEqual(await state.check(), [], 'what reading finds, a check finds');
    return found;
  } finally {
    await state.close();
  }
}

function damage(error: unknown, found: Found): Found {
  if (error instanceof EtlError && (error.code === 'ETL_STATE_DAMAGED' || error.code === 'ETL_STATE_READ')) return found;
  throw error;
}

test('CRC-32C', () => {
  const digits = Buffer.from('xx123456789');
  assert.equal(crc32c(digits, 2, 11), 0xe3069283, 'the check value of the Catalogue of parametrised CRC algorithms');
  assert.equal(crc32c(digits, 2, 2), 0);
  assert.equal(crc32c(new Uint8Array(32), 0, 32), 0x8a9136aa, 'RFC 3720, B.4');
  assert.equal(crc32c(new Uint8Array(32).fill(255), 0, 32), 0x62a8ab43, 'RFC 3720, B.4');
});

test(`files that are flipped, cut or missing (seed ${SEED})`, async (t) => {
  const parent = temporaryFolder(t);
  const whole = join(parent, 'whole');
  const { history } = await makeState(whole);
  const files = readdirSync(join(whole, 'level')).sort();
  const kindOf = (name: string): string => name.replace(/\d+/, 'N');
  assert.deepEqual(new Set(files.map(kindOf)), new Set(['CURRENT', 'LOCK', 'LOG', 'LOG.old', 'MANIFEST-N', 'N.ldb', 'N.log']));
  const next = random(SEED);
  const tally: Record<string, Record<string, number>> = {};
  for (const name of files) {
    const kind = kindOf(name);
    const counts = (tally[kind] ??= {});
    const bytes = readFileSync(join(whole, 'level', name));
    for (let n = 0; n < (/^LO/.test(name) ? 4 : kind === 'N.log' ? 3 * CASES : CASES); n++) {
      const damaged = Buffer.from(bytes);
      // Half of them near the end, where tables have their indices and logs the last write.
      const at = Math.floor(n % 2 === 0 ? next() * bytes.length : Math.max(0, bytes.length - 1 - next() * Math.min(bytes.length - 1, 400)));
      const how = n === 0 ? 'missing' : n % 5 === 1 ? `cut at ${at}` : n % 5 === 2 ? `set at ${at}` : `flipped at ${at}`;
      if (how.startsWith('flipped')) damaged[at]! ^= 1 << Math.floor(next() * 8);
      if (how.startsWith('set')) damaged[at]! += 1 + Math.floor(next() * 255);
      const folder = join(parent, 'damaged');
      cpSync(whole, folder, { recursive: true });
      const path = join(folder, 'level', name);
      if (how === 'missing') rmSync(path);
      else writeFileSync(path, how.startsWith('cut') ? damaged.subarray(0, at) : damaged);
      try {
        const found = await lookInto(folder, history);
        const outcome = typeof found === 'string' ? found : found === WRITES ? 'intact' : 'an earlier write';
        counts[outcome] = (counts[outcome] ?? 0) + 1;
        // Once more: LevelDB has dropped and rewritten what it could.
        const again = await lookInto(folder, history);
        if (typeof found === 'number') assert.equal(again, found);
      } catch (error) {
        throw new Error(`${name} (${bytes.length} bytes) ${how}, seed ${SEED}: ${messageOf(error)}`, { cause: error });
      }
      rmSync(folder, { recursive: true });
    }
  }
  t.diagnostic(JSON.stringify(tally));
  const outcomes = (kind: string): Set<string> => new Set(Object.keys(tally[kind]!));
  // All of it went back: what its owner has that is newer tells (test/job/state.test.ts).
  assert.ok(outcomes('N.log').has('an earlier write'));
  // Or a later write has all that is lost, or not all.
  assert.ok(outcomes('N.log').has('damaged when opened') || outcomes('N.log').has('damaged when read'));
  assert.deepEqual(outcomes('N.ldb'), new Set(['damaged when opened', 'intact']));
  assert.deepEqual(outcomes('MANIFEST-N'), new Set(['damaged when opened']));
  assert.deepEqual(outcomes('CURRENT'), new Set(['damaged when opened']));
  for (const kind of ['LOCK', 'LOG', 'LOG.old']) assert.deepEqual(outcomes(kind), new Set(['intact']));
});

for (const how of ['cut', 'followed by zeros'] as const) {
  test(`a log that is ${how} from anywhere on, as a crash may leave it: the state is that of the last write that is whole (seed ${SEED})`, async (t) => {
    const parent = temporaryFolder(t);
    const whole = join(parent, 'whole');
    const { history, logBytes } = await makeState(whole);
    const name = theLog(join(whole, 'level'));
    const log = readFileSync(join(whole, 'level', name));
    assert.equal(log.length, logBytes.get(WRITES));
    const next = random(SEED + 1);
    const ends = Array.from(logBytes.values());
    const places = new Set([...ends, ...ends.map((end) => end - 1), ...ends.map((end) => end + 1), ...ends.map((end) => end + 7)]);
    for (let n = 0; n < CASES; n++) places.add(Math.floor(next() * log.length));
    for (const at of places) {
      if (at < 0 || at > log.length) continue;
      const folder = join(parent, 'damaged');
      cpSync(whole, folder, { recursive: true });
      writeFileSync(join(folder, 'level', name), how === 'cut' ? log.subarray(0, at) : Buffer.concat([log.subarray(0, at), Buffer.alloc(log.length - at)]));
      const last = Math.max(...Array.from(logBytes).filter(([, end]) => end <= at).map(([write]) => write));
      for (let opened = 0; opened < 2; opened++) assert.equal(await lookInto(folder, history), last, `from byte ${at} of ${log.length} on`);
      // And it goes on.
      const series = Series.after(last, { seed: SEED, indexBytes: INDEX_BYTES });
      const state = await State.open(folder);
      await series.write(state);
      assert.deepEqual(await contentsOf(state), series.contents);
      await state.close();
      rmSync(folder, { recursive: true });
    }
  });
}

test(`a bit of any byte of a table is found before LevelDB looks at it, but of what it does not look at (seed ${SEED})`, async (t) => {
  const folder = temporaryFolder(t);
  await makeState(folder);
  const level = join(folder, 'level');
  const tables = readdirSync(level).filter((file) => file.endsWith('.ldb'));
  assert.ok(tables.length > 2, tables.join());
  assert.equal(await damageOfTables(level), undefined);
  const next = random(SEED + 2);
  for (const name of tables) {
    const path = join(level, name);
    const bytes = readFileSync(path);
    const unused: number[] = [];
    for (let n = 0; n < 500; n++) {
      const at = n < 300 ? bytes.length - 1 - n : Math.floor(next() * bytes.length);
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1 << Math.floor(next() * 8);
      writeFileSync(path, damaged);
      const damage = await damageOfTables(level);
      if (damage === undefined) unused.push(bytes.length - at);
      else assert.match(damage, new RegExp(`^in level/, ${name} is not what LevelDB wrote: `));
    }
    writeFileSync(path, bytes);
    // A footer has 40 bytes for two places, which take some 8 of them, and the magic number.
    assert.ok(unused.length > 0 && unused.every((fromEnd) => fromEnd > 8 && fromEnd <= 44), `${name} of ${bytes.length}: ${unused.join()}`);
  }
});
