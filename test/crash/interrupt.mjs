/**
 * Preloaded into a run (`node --import`): counts the calls by which it touches the disk below a folder, and at the N-th one
 * kills the process, or makes the call fail.
 *
 *   INTERRUPT_BELOW=DIR   calls that name a file in this folder, and those on files that such a call opened
 *   INTERRUPT_AT=N        1, 2, ...; 0: never
 *   INTERRUPT_BY=CODE     SIGKILL, or what the call fails with: EIO, ENOSPC, EMFILE
 *   INTERRUPT_LOG=FILE    gets a line a call
 *
 * What LevelDB does is not seen by it, but for its batches: those are calls, too.
 */
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const { INTERRUPT_BELOW: below = '', INTERRUPT_AT, INTERRUPT_BY: by = 'SIGKILL', INTERRUPT_LOG: log } = process.env;
const at = Number(INTERRUPT_AT ?? 0);
const append = fs.appendFileSync;
let calls = 0;

/** Counts a call; throws in its place, or does not return, when it is the one. */
function count(name, path) {
  calls++;
  if (log) append(log, `${calls} ${name} ${path}\n`);
  if (calls !== at) return;
  if (by === 'SIGKILL') process.kill(process.pid, 'SIGKILL');
  throw Object.assign(new Error(`${by}: made by a test, ${name} '${path}'`), { code: by, syscall: name, path });
}

const isOurs = (path) => typeof path === 'string' && path.startsWith(below);
const handles = new WeakMap();

function patch(object, name, isPromise) {
  const original = object[name];
  object[name] = function patched(...args) {
    const path = args.slice(0, 2).find(isOurs);
    if (path === undefined) return original.apply(this, args);
    if (!isPromise) {
      count(name, path);
      return original.apply(this, args);
    }
    return (async () => {
      count(name, path);
      const result = await original.apply(this, args);
      if (name === 'open') handles.set(result, path);
      return result;
    })();
  };
}

if (isMainThread && at >= 0 && below !== '') {
  for (const name of ['open', 'rename', 'symlink', 'readlink', 'mkdir', 'writeFile', 'rm', 'rmdir', 'unlink', 'readFile', 'readdir', 'lstat', 'stat', 'realpath', 'link', 'copyFile']) patch(fs.promises, name, true);
  for (const name of ['mkdirSync', 'writeFileSync', 'readdirSync', 'rmSync', 'rmdirSync', 'renameSync', 'lstatSync', 'statSync', 'readFileSync', 'unlinkSync']) patch(fs, name, false);
  const probe = await fs.promises.open(process.execPath, 'r');
  const prototype = Object.getPrototypeOf(probe);
  await probe.close();
  for (const name of ['write', 'writev', 'read', 'sync', 'close', 'stat']) {
    const original = prototype[name];
    prototype[name] = async function patched(...args) {
      const path = handles.get(this);
      if (path !== undefined) count(`handle.${name}`, path);
      return original.apply(this, args);
    };
  }
  const files = new Map();
  for (const name of ['openSync', 'writeSync', 'readSync', 'closeSync']) {
    const original = fs[name];
    fs[name] = function patched(file, ...args) {
      const path = name === 'openSync' ? file : files.get(file);
      if (!isOurs(path)) return original.call(this, file, ...args);
      count(name, path);
      const result = original.call(this, file, ...args);
      if (name === 'openSync') files.set(result, path);
      if (name === 'closeSync') files.delete(file);
      return result;
    };
  }
  // What streams call.
  for (const name of ['open', 'write', 'writev', 'fsync', 'close']) {
    const original = fs[name];
    fs[name] = function patched(file, ...args) {
      const path = name === 'open' ? file : files.get(file);
      if (!isOurs(path)) return original.call(this, file, ...args);
      const done = args.pop();
      try {
        count(`stream.${name}`, path);
      } catch (error) {
        return process.nextTick(done, error);
      }
      return original.call(this, file, ...args, (error, result, ...more) => {
        if (name === 'open' && !error) files.set(result, path);
        if (name === 'close') files.delete(file);
        done(error, result, ...more);
      });
    };
  }
  const { ClassicLevel } = createRequire(new URL('../../package.json', import.meta.url))('classic-level');
  const batch = ClassicLevel.prototype._batch;
  ClassicLevel.prototype._batch = async function patched(...args) {
    count('level.batch', below);
    await batch.apply(this, args);
    count('level.batch done', below);
  };
  syncBuiltinESMExports();
}
