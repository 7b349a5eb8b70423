/** Every file of a small state, damaged: what comes out is what went in, or an error that says so. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EtlError, messageOf } from '../../lib/core/errors.ts';
import { openLevel } from '../../lib/state/database.ts';
import { crc32c } from '../../lib/state/crc32c.ts';
import { State } from '../../lib/state/state.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { contentsOf, Series, type Contents } from './model.ts';

const SEED = Number(process.env.ETL_STATE_SEED ?? 1);
const CASES = Number(process.env.ETL_STATE_CASES ?? 60);
const COMMITS = 6;

/** A state of tables on two levels and a log that has the last commits; and what it held after each commit. */
async function makeState(folder: string): Promise<Contents[]> {
  // Some pages fill a block of LevelDB's, some share one.
  const series = new Series({ seed: SEED, pageBytes: 3000 });
  const history = [structuredClone(series.contents)];
  for (let commit = 1; commit <= COMMITS; commit++) {
    const state = await State.open(folder, { create: true });
    await series.commit(state);
    history.push(structuredClone(series.contents));
    if (commit === 4) {
      await series.commit(state);
      history.push(structuredClone(series.contents));
      commit++;
    }
    await state.close();
    if (commit === 3) {
      const level = await openLevel(join(folder, 'level')) as unknown as { compactRange(start: Uint8Array, end: Uint8Array): Promise<void>; close(): Promise<void> };
      await level.compactRange(Uint8Array.of(0), Uint8Array.of(255));
      await level.close();
    }
  }
  return history;
}

type Outcome = 'intact' | 'damaged when opened' | 'damaged when read' | 'an earlier commit';

/** Throws unless the state is that of a commit, or says that it is damaged. */
async function outcome(folder: string, history: readonly Contents[], atLeast: number): Promise<Outcome> {
  let state: State;
  try {
    state = await State.open(folder, { atLeast });
  } catch (error) {
    return damage(error, 'damaged when opened');
  }
  try {
    const contents = await contentsOf(state);
    const commit = contents.head?.commit ?? 0;
    assert.deepEqual(contents, history[commit]);
    assert.ok(commit >= atLeast);
    return commit === history.length - 1 ? 'intact' : 'an earlier commit';
  } catch (error) {
    const found = damage(error, 'damaged when read');
    assert.notDeepEqual(await state.check(), [], 'what reading finds, a check finds');
    return found;
  } finally {
    await state.close();
  }
}

function damage(error: unknown, found: Outcome): Outcome {
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
  const history = await makeState(whole);
  const files = readdirSync(join(whole, 'level')).filter((name) => !/^LO/.test(name)).sort();
  const kinds = new Set(files.map((name) => name.replace(/\d+/, 'N')));
  assert.deepEqual(kinds, new Set(['CURRENT', 'MANIFEST-N', 'N.ldb', 'N.log']));
  const next = random(SEED);
  const tally: Record<string, number> = {};
  for (const name of files) {
    const bytes = readFileSync(join(whole, 'level', name));
    for (let n = 0; n < CASES; n++) {
      const damaged = Buffer.from(bytes);
      // Half of them near the end, where tables have their indices and logs the last commit.
      const at = Math.floor(n % 2 === 0 ? next() * bytes.length : bytes.length - 1 - next() * Math.min(bytes.length - 1, 400));
      const how = n === 0 ? 'missing' : n % 5 === 1 ? `cut at ${at}` : n % 5 === 2 ? `set at ${at}` : `flipped at ${at}`;
      if (how.startsWith('flipped')) damaged[at]! ^= 1 << Math.floor(next() * 8);
      if (how.startsWith('set')) damaged[at] = Math.floor(next() * 256);
      // With what is known of the last commit, and without.
      for (const atLeast of n % 2 === 0 ? [COMMITS, 0] : [COMMITS]) {
        const folder = join(parent, 'damaged');
        cpSync(whole, folder, { recursive: true });
        const path = join(folder, 'level', name);
        if (how === 'missing') rmSync(path);
        else writeFileSync(path, how.startsWith('cut') ? damaged.subarray(0, at) : damaged);
        try {
          const found = await outcome(folder, history, atLeast);
          if (atLeast === COMMITS) assert.notEqual(found, 'an earlier commit');
          tally[found] = (tally[found] ?? 0) + 1;
          // Once more: LevelDB has dropped and rewritten what it could.
          await outcome(folder, history, atLeast);
        } catch (error) {
          throw new Error(`${name} (${bytes.length} bytes) ${how}, atLeast ${atLeast}, seed ${SEED}: ${messageOf(error)}`, { cause: error });
        }
        rmSync(folder, { recursive: true });
      }
    }
  }
  t.diagnostic(JSON.stringify(tally));
  for (const found of ['intact', 'damaged when opened', 'damaged when read', 'an earlier commit']) assert.ok((tally[found] ?? 0) > 0, `none was ${found}`);
});
