/** Runs that are killed while they have staging and temporary folders, and what the next run makes of it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { OwnFolder } from '../../lib/core/own-folder.ts';
import { OWNER_MARK } from '../../lib/core/owner.ts';
import { DATASET_FILE } from '../../lib/dataset/description.ts';
import { Staging } from '../../lib/dataset/staging.ts';
import { createTempFolder } from '../../lib/dataset/temp-folder.ts';
import { temporaryFolder } from '../temporary.ts';

interface Killed {
  readonly staging: string;
  readonly temp: string;
  kill(): Promise<void>;
}

/** A process that stands where a run is while it works. */
async function running(t: TestContext, folder: string, name: string): Promise<Killed> {
  const code = `
    import { writeFileSync } from 'node:fs';
    import { Staging } from ${JSON.stringify(new URL('../../lib/dataset/staging.ts', import.meta.url).href)};
    import { createTempFolder } from ${JSON.stringify(new URL('../../lib/dataset/temp-folder.ts', import.meta.url).href)};
    const staging = await Staging.open(${JSON.stringify(join(folder, name))}, { overwrite: true });
    const temp = createTempFolder(${JSON.stringify(folder)});
    writeFileSync(staging.folder + '/part', 'x');
    writeFileSync(temp.path + '/spilled', 'x');
    console.log(JSON.stringify([staging.folder, temp.path]));
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  const [staging, temp] = JSON.parse(text) as [string, string];
  return {
    staging, temp,
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

function fill(staging: Staging): void {
  mkdirSync(join(staging.folder, '_etl'));
  writeFileSync(join(staging.folder, DATASET_FILE), JSON.stringify({ format: 1, files: [] }));
}

test('the next run for the same output removes what killed ones left, and says so; others keep theirs', async (t) => {
  const folder = temporaryFolder(t);
  const [killed, other, live] = await Promise.all([running(t, folder, 'out'), running(t, folder, 'out.2'), running(t, folder, 'out')]);
  await Promise.all([killed.kill(), other.kill()]);

  const staging = await Staging.open(join(folder, 'out'), { overwrite: false });
  assert.deepEqual(staging.leftBehind, [killed.staging], 'the other output has its own next run');
  const temp = createTempFolder(folder);
  assert.deepEqual([...temp.leftBehind].sort(), [killed.temp, other.temp].sort());
  fill(staging);
  await staging.publish();
  await temp.remove();
  assert.deepEqual(readdirSync(folder).sort(), ['out', ...[other.staging, live.staging, live.temp].map((path) => basename(path))].sort());
  assert.deepEqual(readdirSync(live.staging).sort(), [OWNER_MARK, 'part']);
  assert.deepEqual(readdirSync(join(folder, 'out')).sort(), ['_SUCCESS', '_etl'], 'the mark is not published');
});

test('killed after its mark was taken out and before the rename: kept for now, and no obstacle', async (t) => {
  const folder = temporaryFolder(t);
  const almost = OwnFolder.create({ parent: folder, prefix: '.out.staging' });
  writeFileSync(join(almost.path, '_SUCCESS'), '');
  almost.unmark();
  almost.keep();
  const staging = await Staging.open(join(folder, 'out'), { overwrite: false });
  assert.deepEqual(staging.leftBehind, []);
  fill(staging);
  await staging.publish();
  assert.ok(existsSync(join(folder, 'out', '_SUCCESS')) && existsSync(almost.path));
});

test('two runs that begin at once remove a leftover once, and neither minds', async (t) => {
  const folder = temporaryFolder(t);
  const killed = await running(t, folder, 'out');
  await killed.kill();
  const runs = await Promise.all([running(t, folder, 'out'), running(t, folder, 'out')]);
  const expected = runs.flatMap(({ staging, temp }) => [basename(staging), basename(temp)]);
  assert.deepEqual(readdirSync(folder).sort(), expected.sort());
  await Promise.all(runs.map((run) => run.kill()));
  const staging = await Staging.open(join(folder, 'out'), { overwrite: false });
  assert.equal(staging.leftBehind.length, 2);
  await staging.discard();
});
