/** What a killed run left is removed, and nothing else. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { OwnFolder, removeLeftBehind } from '../../lib/core/own-folder.ts';
import { LEFT_AFTER, OWNER_MARK, thisOwner, type Owner } from '../../lib/core/owner.ts';
import { temporaryFolder } from '../temporary.ts';

const PREFIX = '.test';
const HOUR = 3600_000;
const onLinux = { skip: process.platform !== 'linux' };

/** A folder as OwnFolder makes it, of an owner who differs from this process by `change`, touched `ago` milliseconds ago. */
function left(parent: string, change: Partial<Owner> | string | Uint8Array, ago = 0, number = 1): string {
  const path = join(parent, `${PREFIX}-${number}-0123abcd`);
  mkdirSync(join(path, 'deep'), { recursive: true });
  writeFileSync(join(path, 'deep', 'file'), 'x');
  const mark = join(path, OWNER_MARK);
  writeFileSync(mark, typeof change === 'string' || change instanceof Uint8Array ? change : JSON.stringify({ ...thisOwner(), ...change }));
  const touched = new Date(Date.now() - ago);
  utimesSync(mark, touched, touched);
  return path;
}

/** Runs `code` in a process of its own, up to the first line that it prints. */
async function child(t: TestContext, code: string): Promise<{ process: ChildProcess; line: string }> {
  const started = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => started.kill('SIGKILL'));
  let text = '';
  for await (const chunk of started.stdout) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return { process: started, line: text.trim() };
}

const maker = (parent: string): string => `
  import { writeFileSync } from 'node:fs';
  import { OwnFolder } from ${JSON.stringify(new URL('../../lib/core/own-folder.ts', import.meta.url).href)};
  const folder = OwnFolder.create({ parent: ${JSON.stringify(parent)}, prefix: ${JSON.stringify(PREFIX)} });
  writeFileSync(folder.path + '/spilled', 'x');
  console.log(folder.path);
  setInterval(() => {}, 1000);
`;

test('a run killed by SIGKILL is cleaned up by the next, while a live one and its folder stay', async (t) => {
  const parent = temporaryFolder(t);
  const [killed, live] = await Promise.all([child(t, maker(parent)), child(t, maker(parent))]);
  assert.deepEqual(readdirSync(parent).sort(), [killed.line, live.line].map((path) => basename(path)).sort());
  killed.process.kill('SIGKILL');
  await once(killed.process, 'exit');
  const folder = OwnFolder.create({ parent, prefix: PREFIX });
  assert.deepEqual(folder.leftBehind, [killed.line]);
  assert.deepEqual(readdirSync(parent).sort(), [basename(live.line), basename(folder.path)].sort());
  await folder.remove();
  assert.ok(existsSync(join(live.line, 'spilled')));
  assert.deepEqual(removeLeftBehind(parent, PREFIX, Date.now() + 100 * LEFT_AFTER), [], 'alive, it keeps its folder for ever');
});

test('a run killed while it removes what another left leaves a folder that the next one knows', onLinux, async (t) => {
  const parent = temporaryFolder(t);
  const { process: gone } = await child(t, 'console.log()');
  const path = left(parent, { pid: gone.pid!, started: '1' });
  const { process: killed } = await child(t, `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { rmSync } = fs;
    fs.rmSync = (path, options) => { rmSync(path, options); console.log(path); process.kill(process.pid, 'SIGKILL'); };
    syncBuiltinESMExports();
    const { removeLeftBehind } = await import(${JSON.stringify(new URL('../../lib/core/own-folder.ts', import.meta.url).href)});
    removeLeftBehind(${JSON.stringify(parent)}, ${JSON.stringify(PREFIX)});
  `);
  if (killed.exitCode === null && killed.signalCode === null) await once(killed, 'exit');
  assert.deepEqual(readdirSync(path), [OWNER_MARK]);
  assert.deepEqual(removeLeftBehind(parent, PREFIX), [path]);
  assert.deepEqual(readdirSync(parent), []);
});

test('a place that takes no folders is an error, not a search without end', onLinux, () => {
  for (const parent of ['/proc/none', '/proc/none/deeper']) {
    assert.throws(() => OwnFolder.create({ parent, prefix: '.any' }), { code: 'ENOENT' });
  }
});

test('missing parents are made, at any depth and however they are written, and go again', async (t) => {
  const top = temporaryFolder(t);
  for (const parent of ['a', 'a/', 'a/b//c/', './a/../a/b']) {
    const folder = OwnFolder.create({ parent: `${top}/${parent}`, prefix: '.any' });
    assert.ok(existsSync(folder.path));
    await folder.remove();
    assert.deepEqual(readdirSync(top), [], parent);
  }
  writeFileSync(join(top, 'file'), '');
  symlinkSync(join(top, 'gone', 'far'), join(top, 'broken'));
  assert.throws(() => OwnFolder.create({ parent: join(top, 'file'), prefix: '.any' }), { code: 'EEXIST' });
  assert.throws(() => OwnFolder.create({ parent: join(top, 'file', 'x'), prefix: '.any' }), { code: 'ENOTDIR' });
  assert.throws(() => OwnFolder.create({ parent: join(top, 'broken', 'x'), prefix: '.any' }), { code: 'EEXIST' });
  assert.deepEqual(readdirSync(top).sort(), ['broken', 'file']);
});

test('a process that was killed and not waited for is gone', onLinux, async (t) => {
  const parent = temporaryFolder(t);
  const shell = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => shell.kill('SIGKILL'));
  const [text] = await once(shell.stdout, 'data') as [Buffer];
  const pid = Number(String(text));
  // The shell would ask after its child; what it becomes does not.
  while (!readFileSync(`/proc/${shell.pid}/stat`, 'latin1').includes('(sleep)')) await turn();
  process.kill(pid, 'SIGKILL');
  while (!readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')) await turn();
  const path = left(parent, { pid, started: null });
  assert.deepEqual(removeLeftBehind(parent, PREFIX), [path]);
});

const here = thisOwner();
const gone = { pid: 2 ** 22 + 1, started: '1' };
const beforeBoot = Date.now() - here.bootTime + HOUR;
const cases: readonly [what: string, change: Partial<Owner> | string | Uint8Array, ago: number, removed: boolean][] = [
  ['this very process', {}, 0, false],
  ['this very process, asleep for long', {}, 100 * LEFT_AFTER, false],
  ['no such process', gone, 0, true],
  ['the pid of another process', { pid: process.pid, started: '1' }, 0, here.started !== null],
  ['a pid that is taken, nobody knows since when', { started: null }, 0, false],
  ['another host', { ...gone, host: 'elsewhere' }, 0, false],
  ['another host, nearly a day ago', { ...gone, host: 'elsewhere' }, LEFT_AFTER - HOUR, false],
  ['another host, more than a day ago', { ...gone, host: 'elsewhere' }, LEFT_AFTER + HOUR, true],
  ['another pid namespace', { ...gone, pidNamespace: 'pid:[1]' }, 0, false],
  ['another pid namespace, more than a day ago', { ...gone, pidNamespace: 'pid:[1]' }, LEFT_AFTER + HOUR, true],
  ['the pid of this process, in another namespace, more than a day ago', { pidNamespace: 'pid:[1]' }, LEFT_AFTER + HOUR, true],
  ['another boot, touched since this one began: a machine of the same name', { boot: 'another' }, 5 * 60_000, beforeBoot < HOUR + 5 * 60_000],
  ['another boot, touched just now', { boot: 'another' }, 0, false],
  ['a mark of the future', { ...gone, host: 'elsewhere' }, -2 * LEFT_AFTER, false],
  ['an empty mark', '', HOUR, false],
  ['an empty mark, more than a day old', '', LEFT_AFTER + HOUR, true],
  ['half a mark', JSON.stringify({ ...here, ...gone }).slice(0, -5), HOUR, false],
  ['a mark of the wrong types', JSON.stringify({ ...here, ...gone, pid: '1' }), HOUR, false],
  ['a mark of a process group', JSON.stringify({ ...here, pid: -1 }), HOUR, false],
  ['a mark that is no object', 'null', HOUR, false],
  ['a huge mark', JSON.stringify({ ...here, ...gone, padding: 'x'.repeat(5000) }), HOUR, false],
  ['a huge mark, more than a day old', new Uint8Array(1 << 20), LEFT_AFTER + HOUR, true],
];

for (const [what, change, ago, removed] of cases) {
  test(`${removed ? 'removed' : 'kept'}: ${what}`, (t) => {
    const parent = temporaryFolder(t);
    const path = left(parent, change, ago);
    assert.deepEqual(removeLeftBehind(parent, PREFIX), removed ? [path] : []);
    assert.equal(existsSync(join(path, 'deep', 'file')), !removed);
  });
}

test('removed: an earlier boot', onLinux, (t) => {
  const parent = temporaryFolder(t);
  const path = left(parent, { boot: 'another' }, beforeBoot);
  assert.deepEqual(removeLeftBehind(parent, PREFIX), [path]);
});

test('a folder without a mark is kept for a day', (t) => {
  const parent = temporaryFolder(t);
  const path = join(parent, `${PREFIX}-1-0123abcd`);
  mkdirSync(path);
  utimesSync(path, 0, 0);
  assert.deepEqual(removeLeftBehind(parent, PREFIX), [], 'its entries changed just now, whatever its time says');
  assert.deepEqual(removeLeftBehind(parent, PREFIX, Date.now() + LEFT_AFTER - HOUR), []);
  assert.deepEqual(removeLeftBehind(parent, PREFIX, Date.now() + LEFT_AFTER + HOUR), [path]);
});

test('other names, files and links are nobody\'s to remove, nor what a link leads to', (t) => {
  const parent = temporaryFolder(t);
  const elsewhere = temporaryFolder(t);
  const target = left(elsewhere, gone);
  symlinkSync(target, join(parent, `${PREFIX}-2-0123abcd`));
  writeFileSync(join(parent, `${PREFIX}-3-0123abcd`), 'x');
  for (const name of ['', '-', '-1', '-1-', '-1-0123abc', '-1-0123abcde', '-1-0123ABCD', '-x-0123abcd', '-1-0123abcd.bak', 's-1-0123abcd', '-1-1-0123abcd']) {
    const path = join(parent, PREFIX + name);
    mkdirSync(path);
    writeFileSync(join(path, OWNER_MARK), JSON.stringify({ ...here, ...gone }));
  }
  const before = readdirSync(parent).sort();
  assert.deepEqual(removeLeftBehind(parent, PREFIX, Date.now() + 2 * LEFT_AFTER), []);
  assert.deepEqual(readdirSync(parent).sort(), before);
  assert.ok(existsSync(join(target, 'deep', 'file')));
});

test('links inside are removed, what they lead to is not; a mark that is a link says nothing', (t) => {
  const parent = temporaryFolder(t);
  const elsewhere = temporaryFolder(t);
  writeFileSync(join(elsewhere, 'mine'), JSON.stringify({ ...here, ...gone }));
  const path = left(parent, gone);
  symlinkSync(elsewhere, join(path, 'link'));
  const linked = left(parent, gone, 0, 2);
  rmSync(join(linked, OWNER_MARK));
  symlinkSync(join(elsewhere, 'mine'), join(linked, OWNER_MARK));
  assert.deepEqual(removeLeftBehind(parent, PREFIX), [path]);
  assert.ok(existsSync(join(elsewhere, 'mine')));
});

test('folders of another user stay', { skip: process.getuid?.() !== 0 && 'only root can give folders away' }, (t) => {
  const parent = temporaryFolder(t);
  const path = left(parent, gone);
  chownSync(path, 12345, 12345);
  assert.deepEqual(removeLeftBehind(parent, PREFIX, Date.now() + 2 * LEFT_AFTER), []);
  assert.ok(existsSync(path));
});

test('a parent that is not there, or a file, holds nothing', (t) => {
  const parent = temporaryFolder(t);
  writeFileSync(join(parent, 'file'), '');
  assert.deepEqual(removeLeftBehind(join(parent, 'nothing'), PREFIX), []);
  assert.deepEqual(removeLeftBehind(join(parent, 'file'), PREFIX), []);
});

test('the owner touches its mark every minute, and never makes one', async (t) => {
  const beats: (() => void)[] = [];
  const started = t.mock.method(globalThis, 'setInterval', ((beat: () => void, ms: number) => {
    assert.equal(ms, 60_000);
    beats.push(beat);
    return { unref: () => ({}) };
  }) as unknown as typeof setInterval);
  const folder = OwnFolder.create({ parent: temporaryFolder(t), prefix: PREFIX });
  const mark = join(folder.path, OWNER_MARK);
  assert.deepEqual({ ...JSON.parse(readFileSync(mark, 'utf8')) as Owner, bootTime: 0 }, { ...here, bootTime: 0 });
  utimesSync(mark, 0, 0);
  beats[0]!();
  while (lstatSync(mark).mtimeMs === 0) await turn();
  assert.ok(Math.abs(lstatSync(mark).mtimeMs - Date.now()) < HOUR);
  folder.unmark();
  beats[0]!();
  for (let i = 0; i < 20; i++) await turn();
  assert.deepEqual(readdirSync(folder.path), []);
  assert.equal(started.mock.callCount(), 1);
  await folder.remove();
});
