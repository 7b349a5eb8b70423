import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EtlError } from '../../lib/core/errors.ts';
import { Resources } from '../../lib/core/resources.ts';

test('resources close in reverse order, each once, also when some fail', async () => {
  const closed: string[] = [];
  const resources = new Resources();
  resources.add(() => void closed.push('first'));
  resources.add(async () => {
    closed.push('second');
    throw new Error('second does not close');
  });
  resources.add(() => void closed.push('third'));
  const error = await resources.close();
  assert.deepEqual(closed, ['third', 'second', 'first']);
  assert.match(String(error), /second does not close/);
  assert.equal(await resources.close(), undefined);
  assert.equal(closed.length, 3);
});

test('the first error stays what it is; failures of cleaning up are added to it', async () => {
  const first = new EtlError('ETL_INPUT_READ', 'No.');
  const extra = new Error('rm failed');
  const resources = new Resources();
  resources.add(() => {
    throw extra;
  });
  assert.equal(await resources.close(first), first);
  assert.deepEqual(first.suppressed, [extra]);
  const other = new Resources();
  other.add(() => {
    throw extra;
  });
  const foreign = new TypeError('a bug');
  const both = await other.close(foreign);
  assert.ok(both instanceof AggregateError && both.cause === foreign && both.errors.includes(extra));
});
