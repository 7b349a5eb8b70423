import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DATASET_FILE, Staging } from '../../lib/dataset/staging.ts';
import { temporaryFolder } from '../temporary.ts';

/** Writes what a run would: the marker and one file. */
function fill(staging: Staging, content: string): void {
  mkdirSync(join(staging.folder, '_etl'));
  writeFileSync(join(staging.folder, DATASET_FILE), '{}');
  writeFileSync(join(staging.folder, 'data'), content);
}

async function publish(output: string, content: string, overwrite = false): Promise<void> {
  const staging = await Staging.open(output, { overwrite });
  fill(staging, content);
  await staging.publish();
}

test('an output becomes visible at publish, with _SUCCESS, and leaves nothing beside it', async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'deep', 'out');
  const staging = await Staging.open(output, { overwrite: false });
  fill(staging, 'one');
  assert.equal(existsSync(output), false);
  await staging.publish();
  assert.deepEqual(readdirSync(output).sort(), ['_SUCCESS', '_etl', 'data']);
  assert.deepEqual(readdirSync(join(folder, 'deep')), ['out']);
  await staging.discard();
  assert.ok(existsSync(output), 'discard after publish must not touch the output');
});

test('discard removes the staging and keeps the earlier output', async (t) => {
  const output = join(temporaryFolder(t), 'out');
  await publish(output, 'one');
  const staging = await Staging.open(output, { overwrite: true });
  fill(staging, 'two');
  await staging.discard();
  await staging.discard();
  assert.equal(readFileSync(join(output, 'data'), 'utf8'), 'one');
  assert.deepEqual(readdirSync(join(output, '..')), ['out']);
});

test('an output that exists needs --overwrite, even an empty folder', async (t) => {
  const folder = temporaryFolder(t);
  await publish(join(folder, 'out'), 'one');
  mkdirSync(join(folder, 'empty'));
  for (const name of ['out', 'empty']) {
    await assert.rejects(Staging.open(join(folder, name), { overwrite: false }), { code: 'ETL_OUTPUT_EXISTS', hint: /--overwrite/ });
  }
  await publish(join(folder, 'out'), 'two', true);
  await publish(join(folder, 'empty'), 'three', true);
  assert.equal(readFileSync(join(folder, 'out', 'data'), 'utf8'), 'two');
  assert.deepEqual(readdirSync(folder).sort(), ['empty', 'out']);
});

test('what etl-stream did not write is never replaced', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'mine'));
  writeFileSync(join(folder, 'mine', 'thesis.txt'), 'x');
  writeFileSync(join(folder, 'file'), 'x');
  for (const name of ['mine', 'file']) {
    await assert.rejects(Staging.open(join(folder, name), { overwrite: true }), { code: 'ETL_OUTPUT_EXISTS', message: /not written by etl-stream/ });
  }
  assert.deepEqual(readdirSync(folder).sort(), ['file', 'mine']);
});

test('a run killed between the two renames of a replacement is undone by the next', async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'out');
  await publish(output, 'one');
  renameSync(output, join(folder, '.out.previous'));
  await assert.rejects(Staging.open(output, { overwrite: false }), { code: 'ETL_OUTPUT_EXISTS' });
  assert.equal(readFileSync(join(output, 'data'), 'utf8'), 'one');
});

test('a run killed after the second rename leaves the new output, and the next clears the old away', async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'out');
  await publish(output, 'two');
  await publish(join(folder, '.out.previous'), 'one');
  await assert.rejects(Staging.open(output, { overwrite: false }), { code: 'ETL_OUTPUT_EXISTS' });
  assert.equal(readFileSync(join(output, 'data'), 'utf8'), 'two');
  assert.deepEqual(readdirSync(folder), ['out']);
});

test('an output that appears while the run is under way is not destroyed', async (t) => {
  const output = join(temporaryFolder(t), 'out');
  const staging = await Staging.open(output, { overwrite: false });
  fill(staging, 'one');
  mkdirSync(output);
  writeFileSync(join(output, 'other'), 'x');
  await assert.rejects(staging.publish(), { code: 'ETL_OUTPUT_EXISTS' });
  await staging.discard();
  assert.deepEqual(readdirSync(output), ['other']);
});
