/** Which state a run has, by what its caller says. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { defaultState, validateOptions, type RunOptions } from '../../lib/core/options.ts';

const stateOf = (options: Omit<RunOptions, 'inputs'>): string | undefined => validateOptions({ inputs: ['-'], ...options }).state;

test('a state stands beside the output, by its name, unless something else is said', () => {
  assert.equal(stateOf({}), resolve('.etl-output.state'));
  assert.equal(stateOf({ output: 'a/b/' }), resolve('a/.b.state'));
  assert.equal(stateOf({ output: '/x/totals', state: undefined }), resolve('/x/.totals.state'));
  assert.equal(defaultState('a/../b'), resolve('.b.state'));
  assert.equal(stateOf({ state: 'elsewhere' }), 'elsewhere');
});

test('false is none', () => {
  assert.equal(stateOf({ state: false }), undefined);
});

test('what is said of a state goes with one', () => {
  for (const more of [{ dedupWindow: 1000 }, { checkpoint: 1000 }]) {
    assert.ok(stateOf(more));
    assert.throws(() => stateOf({ ...more, state: false }), { code: 'ETL_USAGE', message: /--no-state/ });
  }
  for (const dedupWindow of [0, -1, 1.5, NaN]) assert.throws(() => stateOf({ dedupWindow }), { code: 'ETL_USAGE', message: /--dedup-window must be a whole number of milliseconds/ });
});

test('anything else is wrong usage', () => {
  for (const state of ['', true, null, 0, {}] as unknown[]) {
    assert.throws(() => stateOf({ state: state as string }), { code: 'ETL_USAGE', message: /--state must be the path of a folder; --no-state .*state: false/ }, String(state));
  }
});
