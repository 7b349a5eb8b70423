import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DATASET_FILE } from '../../lib/dataset/description.ts';
import { Staging } from '../../lib/dataset/staging.ts';
import { temporaryFolder } from '../temporary.ts';

/** Writes what a run would: the marker and one file. */
function fill(staging: Staging, content: string): void {
  mkdirSync(join(staging.folder, '_etl'));
  writeFileSync(join(staging.folder, DATASET_FILE), JSON.stringify({ format: 1, files: [{ path: 'data' }] }));
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
    await assert.rejects(Staging.open(join(folder, name), { overwrite: true }), { code: 'ETL_OUTPUT_EXISTS', message: /never replaced/ });
  }
  assert.deepEqual(readdirSync(folder).sort(), ['file', 'mine']);
});

test('a dataset that holds anything else is never replaced, nor is a link to one', async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'out');
  await publish(output, 'one');
  symlinkSync(output, join(folder, 'link'));
  await assert.rejects(Staging.open(join(folder, 'link'), { overwrite: true }), { code: 'ETL_OUTPUT_EXISTS', message: /symbolic link/ });
  mkdirSync(join(output, 'notes'));
  writeFileSync(join(output, 'notes', 'mine.txt'), 'x');
  await assert.rejects(Staging.open(output, { overwrite: true }), { code: 'ETL_OUTPUT_EXISTS', message: /notes\/mine\.txt/ });
  assert.equal(readFileSync(join(output, 'notes', 'mine.txt'), 'utf8'), 'x');
});

test('parents that were made for an output go with it when it fails, but for those in use', async (t) => {
  const folder = temporaryFolder(t);
  const one = await Staging.open(join(folder, 'a', 'b', 'c', 'out'), { overwrite: false });
  const two = await Staging.open(join(folder, 'a', 'x', 'out'), { overwrite: false });
  await one.discard();
  assert.deepEqual(readdirSync(join(folder, 'a')), ['x']);
  await two.discard();
  assert.deepEqual(readdirSync(join(folder, 'a')), [], 'the first run made it, and could not remove it');
});

test('a run killed between the two renames of a replacement is undone by the next', async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'out');
  await publish(output, 'one');
  renameSync(output, join(folder, '.out.previous'));
  await assert.rejects(Staging.open(output, { overwrite: false }), { code: 'ETL_OUTPUT_EXISTS' });
  assert.equal(readFileSync(join(output, 'data'), 'utf8'), 'one');
});

test('a folder of the user that is called like the set-aside output is left alone', async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'out');
  mkdirSync(join(folder, '.out.previous'));
  writeFileSync(join(folder, '.out.previous', 'mine'), 'x');
  await publish(output, 'one');
  await assert.rejects(publish(output, 'two', true), { code: 'ETL_OUTPUT_WRITE' });
  assert.equal(readFileSync(join(output, 'data'), 'utf8'), 'one');
  assert.equal(readFileSync(join(folder, '.out.previous', 'mine'), 'utf8'), 'x');
});

test('a run killed after the second rename leaves the new output, and the next replacement clears the old away', async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'out');
  await publish(output, 'two');
  await publish(join(folder, '.out.previous'), 'one');
  await publish(output, 'three', true);
  assert.equal(readFileSync(join(output, 'data'), 'utf8'), 'three');
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
