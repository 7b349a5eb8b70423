// npm run check:package: packs, and checks what a user would get. publint and attw find no fault with it, nothing is in it that
// is not needed, no file knows the machine that made it, and a strict TypeScript program compiles against its types alone.
//
// Usage: node scripts/check-package.mjs [TARBALL]; without one it packs, which builds.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'etl-stream-package-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** What a user of the library would write. The last lines must not compile: without types, anything does. */
const PROGRAM = `
import { createReadStream } from 'node:fs';
import { checkState, EtlError, errorCodes, parseCsv, run, validate, type ErrorCode, type Progress, type RunOptions, type Summary } from 'etl-stream';

const options: RunOptions = { inputs: ['logs'], output: 'totals', groupBy: 'user', rules: [{ column: 'user_id', pattern: 'u[0-9]+' }] };
const summary: Summary = await run(options, { signal: AbortSignal.timeout(1000) });
const share: number = summary.rows.rejected / summary.rows.read;
for await (const batch of parseCsv(createReadStream('logs.csv'))) console.log(batch.length, share);
const { length }: readonly unknown[] = (await validate({ inputs: ['logs'] })).inputs;
try {
  await checkState({ output: 'totals' });
} catch (error) {
  if (error instanceof EtlError) console.log(errorCodes[error.code satisfies ErrorCode], error.hint, length);
}
export const phaseOf = (progress: Progress): string => progress.phase;

// @ts-expect-error: a number
export const wrong: string = summary.rows.read;
// @ts-expect-error: no such option
await run({ inputs: ['logs'], ouput: 'totals' });
`;

const tarball = process.argv[2] ? resolve(process.argv[2]) : pack();
publint();
typesWork();
const unpacked = unpack();
onlyWhatIsNeeded();
compiles();
console.log(`the package is fine: ${(statSync(tarball).size / 1e6).toFixed(2)} MB packed, ${files(unpacked).length} files`);

function pack() {
  run('npm', ['pack', '--silent', '--pack-destination', folder], root);
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')));
}

/** package.json: what `exports`, `bin` and `files` name is there and of the kind that they say. */
function publint() {
  run(process.execPath, [binary('publint'), 'run', tarball, '--strict'], root);
}

/** Types are found wherever the code is, by every way of resolving that finds ES modules. */
function typesWork() {
  run(process.execPath, [binary('@arethetypeswrong/cli', 'attw'), tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color', '--no-emoji'], root);
}

function unpack() {
  const target = join(folder, 'node_modules', 'etl-stream');
  mkdirSync(target, { recursive: true });
  run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'], root);
  return target;
}

function onlyWhatIsNeeded() {
  const allowed = /^(package\.json|README\.md|docs\/[\w-]+\.md|LICENSE|CHANGELOG\.md|dist\/(config\.schema\.json|bin\/etl-stream\.js|lib\/[\w-]+\.(js|wasm|table|html)|lib\/dashboard\/[\w-]+\.(js|css|json|html)|lib\/job\/(job\.py|etl_stream_spark\.zip)|lib\/([\w-]+\/)*[\w-]+\.d\.ts|man\/[\w-]+\.1))$/;
  const { scripts } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) if (scripts[name]) fail(`package.json has an install script: ${name}`);
  for (const name of files(unpacked)) {
    if (!allowed.test(name)) fail(`${name} has no place in the package`);
    const bytes = readFileSync(join(unpacked, name));
    for (const place of [root.replace(/\/$/, ''), homedir()]) {
      if (place.length > 1 && bytes.includes(`${place}/`)) fail(`${name} names a folder of this machine: ${place}`);
    }
  }
}

/**
 * Strict programs, with the types of libraries checked, too. Beside the package there is nothing but @types/node: a type of another
 * package, of a development dependency most of all, would not be found.
 */
function compiles() {
  mkdirSync(join(folder, 'node_modules', '@types'));
  for (const name of ['@types/node', 'undici-types']) symlinkSync(dirname(manifest(name)), join(folder, 'node_modules', name), 'dir');
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  writeFileSync(join(folder, 'program.ts'), PROGRAM);
  for (const [module, moduleResolution] of [['node16', 'node16'], ['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
    const compilerOptions = {
      module, moduleResolution, target: 'es2022', types: ['node'], strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    run(process.execPath, [binary('typescript', 'tsc'), '-p', folder], folder);
  }
}

/** Paths of all files below `top`. */
function files(top) {
  return readdirSync(top, { recursive: true }).filter((name) => statSync(join(top, name)).isFile()).sort();
}

/** The script behind a command of an installed package. */
function binary(name, command = name) {
  const path = manifest(name);
  const { bin } = JSON.parse(readFileSync(path, 'utf8'));
  return join(dirname(path), typeof bin === 'string' ? bin : bin[command]);
}

function manifest(name) {
  return join(root, 'node_modules', name, 'package.json');
}

/** Runs a command and shows what it says only when it fails. */
function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (error || status !== 0) fail(`${command} ${args.join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`);
}

function fail(message) {
  console.error(`check:package: ${message}`);
  process.exit(1);
}
