/** Records -> rows and rejects on Spark, against the local parse stage; patterns of JavaScript as Java's, against Node's. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { rejectCodes } from '../../lib/core/rejects.ts';
import { checksCase, type Checked } from './checks-cases.ts';
import { differentialPatterns } from './pattern-cases.ts';
import { skip } from './python.ts';
import { ask } from './session.ts';

/** Two cases which together have every reason, one with rejects in CSV; more: ETL_SPARK_CASES. */
const SEED = Number(process.env.ETL_SPARK_SEED ?? 111);
const CASES = Number(process.env.ETL_SPARK_CASES ?? 2);

interface Told {
  readonly cases: { rows: [number, number, string, string, string, string][]; rejects: string[]; statuses: Record<string, number> }[];
  readonly patterns: boolean[][];
}

let cases: Awaited<ReturnType<typeof checksCase>>[];
let local: Checked[];
let patterns: Awaited<ReturnType<typeof differentialPatterns>>;
let told: Told;

before(async () => {
  if (skip) return;
  [cases, local] = [[], []];
  for (let seed = SEED; cases.length < CASES; seed++) {
    const made = await checksCase(seed);
    // An input that ends in quotes of a record that is too long has no result.
    const result = await made.local().catch((error: { code?: string }) => {
      if (error.code !== 'ETL_INPUT_READ') throw error;
    });
    if (!result) continue;
    cases.push(made);
    local.push(result);
  }
  patterns = await differentialPatterns(SEED, 300);
  told = await ask('checks', { cases: cases.map(({ settings, inputs, scale }) => ({ settings, inputs, scale })), patterns: patterns.map(({ java, texts }) => [java, texts]) });
});

test('rows, values and rejects are those of the local engine, byte for byte', { skip }, () => {
  const statuses = new Map<string, number>();
  for (const [at, { rows, rejects, statuses: found }] of told.cases.entries()) {
    const where = `case ${at} from seed ${SEED}: ${JSON.stringify(cases[at]!.settings)}`;
    assert.deepEqual(rejects, local[at]!.rejects, where);
    assert.deepEqual(rows.map((row) => row.slice(2)), local[at]!.rows, where);
    for (const [status, count] of Object.entries(found)) statuses.set(status, (statuses.get(status) ?? 0) + count);
  }
  const missing = rejectCodes.map((code, status) => ({ code, rows: statuses.get(String(status)) ?? 0 })).filter(({ rows }) => rows === 0);
  assert.deepEqual(missing, [], `statuses that no row has, seed ${SEED}`);
  assert.ok([...statuses.keys()].some((status) => Number(status) > 33), 'a rule besides the bounds is broken');
});

test('a pattern takes in Java what it takes in JavaScript', { skip }, () => {
  let [taken, refused] = [0, 0];
  for (const [at, { source, texts }] of patterns.entries()) {
    const expression = new RegExp(`^(?:${source})$`, 'u');
    assert.deepEqual(told.patterns[at], texts.map((text) => expression.test(text)), `${source} as ${patterns[at]!.java} on ${JSON.stringify(texts)}`);
    for (const matches of told.patterns[at]!) matches ? taken++ : refused++;
  }
  assert.ok(taken > 300 && refused > 300, `${taken} taken, ${refused} not`);
});
