// What action.yml runs: `install` gets etl-stream, `run` runs it and tells the runner: outputs, a table in the job's summary,
// annotations at rejected rows. The exit code is that of etl-stream.
//
// Inputs come as variables INPUT_*. All that comes from inputs and logs is somebody else's text: it is never a command line for a shell,
// and is escaped for what it is written to. It has no dependencies, since it installs them.
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, createReadStream, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const { env } = process;
const version = env.INPUT_VERSION ?? '';
const root = version === '' ? fileURLToPath(new URL('..', import.meta.url)) : join(env.RUNNER_TEMP, 'etl-stream', 'node_modules', 'etl-stream');
const program = join(root, 'dist', 'bin', 'etl-stream.js');
const folder = resolve(env.INPUT_WORKING_DIRECTORY || '.');

process.exitCode = process.argv[2] === 'install' ? install() : await run();

/** A version comes from the registry; else the action's own checkout is built, unless somebody has. */
function install() {
  const npm = (args, cwd) => {
    const { status, error } = spawnSync('npm', args, { cwd, stdio: 'inherit' });
    return status === 0 ? 0 : failed(`npm ${args.join(' ')} failed${error ? `: ${error.message}` : '.'}`);
  };
  if (version !== '') {
    if (!/^[\w.+-]+$/.test(version)) return failed(`"${version}" is no version.`);
    return npm(['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', join(env.RUNNER_TEMP, 'etl-stream'), `etl-stream@${version}`]);
  }
  if (existsSync(program)) return 0;
  return npm(['ci', '--no-audit', '--no-fund', '--ignore-scripts'], root) || npm(['run', 'build'], root);
}

async function run() {
  const limit = env.INPUT_MAX_ANNOTATIONS || '10';
  if (!/^\d+$/.test(limit)) return failed(`max-annotations must be a whole number, not "${limit}".`);
  if (!existsSync(folder)) return failed(`There is no folder "${env.INPUT_WORKING_DIRECTORY}" (working-directory).`);
  const inputs = linesOf(env.INPUT_INPUTS).map(asPath);
  if (inputs.length === 0) return failed('No inputs are given.');
  const args = linesOf(env.INPUT_ARGS);

  const output = env.INPUT_OUTPUT ? [`--output=${env.INPUT_OUTPUT}`] : [];
  const { code, stdout, stderr } = await etlStream(['--json', ...output, ...args, '--', ...inputs], { isTold: true });
  setOutput('exit-code', code);
  if (code !== 0) {
    failed(stderr.trim() || `etl-stream ended with ${code}.`);
    if (code === 3) await tellRejected(await validation(inputs, args), Number(limit));
    return code;
  }

  const summary = parsed(stdout);
  if (summary?.output === undefined) return failed('etl-stream gave no summary of a run: args are options, not another command.');
  const published = resolve(folder, summary.output);
  const file = join(mkdtempSync(join(env.RUNNER_TEMP, 'etl-stream-summary-')), 'summary.json');
  writeFileSync(file, stdout);
  for (const name of ['counted', 'duplicates', 'rejected']) setOutput(name, summary.rows[name]);
  setOutput('rows', summary.rows.read);
  setOutput('output', published);
  setOutput('summary', file);
  tellSummary(summary, published, parsed((await etlStream(['inspect', '--json', '--', asPath(published)])).stdout)?.regions);
  if (summary.rows.rejected > 0) await annotateRejects(join(published, summary.rejectsFile), Math.min(Number(limit), summary.rows.rejected));
  return 0;
}

/** What `validate` says of the inputs: why too many rows are rejected is nowhere in an output, since there is none. undefined if it says nothing. */
async function validation(inputs, args) {
  const { stdout } = await etlStream(['validate', '--json', ...(await argsOf('validate', args)), '--', ...inputs]);
  return parsed(stdout);
}

/** Those of a run's arguments that another command takes, too, by the help of both. */
async function argsOf(command, args) {
  const options = async (...help) => {
    const found = new Map();
    for (const [, short, name, value] of (await etlStream([...help, '--help'])).stdout.matchAll(/^ {2}(?:-(\w), )?--([\w-]+)( [<[])?/gm)) {
      for (const flag of short ? [`-${short}`, `--${name}`] : [`--${name}`]) found.set(flag, value !== undefined);
    }
    return found;
  };
  const [takes, all] = [await options(command), await options()];
  const kept = [];
  for (let index = 0; index < args.length; index++) {
    const [flag] = args[index].split('=', 1);
    const own = [args[index]];
    if (all.get(flag) && !args[index].includes('=')) own.push(...args.slice(++index, index + 1));
    if (takes.has(flag)) kept.push(...own);
  }
  return kept;
}

async function tellRejected(found, limit) {
  if (!found?.rows) return;
  setOutput('rows', found.rows.read);
  setOutput('rejected', found.rows.rejected);
  summaryText(`### etl-stream: too many rows are rejected\n\n${table(['', 'rows'], [['read', found.rows.read], ['rejected', found.rows.rejected]])}${reasons(found.rejectedBy)}`);
  const first = found.inputs.flatMap(({ name, reasons }) => (reasons ?? []).map((reason) => ({ name, ...reason })));
  for (const { name, reason, rows, first: { line, message } } of first.slice(0, limit)) {
    warning(name, line, `${reason}: ${rows === 1 ? '1 row' : `${rows} rows`}`, message);
  }
}

function tellSummary({ inputs, rows, users, regions, groups, files, state, rejectedBy, seconds }, published, byRegion) {
  const figures = [
    ['inputs', inputs], ['rows read', rows.read], ['duplicates', rows.duplicates], ['rejected', rows.rejected], ['counted', rows.counted],
    ...(state ? [['counted in all', state.logs]] : []),
    ['users', users], ['regions', regions], ['rows of the result', groups], ['files', files], ['seconds', seconds.toFixed(2)],
  ];
  const most = (byRegion ?? []).toSorted((a, b) => b.share - a.share).slice(0, 5);
  const biggest = most.map(({ region, watchTime, logs, share }) => [region, watchTime, logs, `${(100 * share).toFixed(1)} %`]);
  summaryText(`### etl-stream\n\n${table(['', ''], figures)}Published in ${text(fromWorkspace(published))}\n\n${reasons(rejectedBy)}`
    + (biggest.length === 0 ? '' : table(['biggest regions', 'watch time', 'logs', 'share'], biggest)));
}

function reasons(rejectedBy) {
  const rows = Object.entries(rejectedBy ?? {});
  return rows.length === 0 ? '' : table(['rejected because', 'rows'], rows);
}

/** The first rejects of a file, whatever its format is, as warnings at their lines. */
async function annotateRejects(file, limit) {
  if (limit === 0 || !existsSync(file)) return;
  const isCsv = file.endsWith('.csv');
  const reader = isCsv ? spawn(process.execPath, [program, 'parse', '--json', file], { stdio: ['ignore', 'pipe', 'ignore'] }) : undefined;
  const lines = createInterface({ input: reader?.stdout ?? createReadStream(file), crlfDelay: Infinity });
  let header;
  let told = 0;
  for await (const line of lines) {
    const value = JSON.parse(line);
    if (isCsv && header === undefined) {
      header = value;
      continue;
    }
    const field = (name) => (isCsv ? value[header.indexOf(`_reject_${name}`)] : value[name]);
    const rule = field('rule');
    warning(field('file'), field('line'), rule ? `${field('code')} ${field('column')}:${rule}` : field('code'), field('message'));
    if (++told === limit) break;
  }
  reader?.kill();
}

/** What it says goes to the log of the step, if it `isTold`, where none of it is taken for a command of the runner. */
async function etlStream(args, { isTold = false } = {}) {
  const token = randomUUID();
  if (isTold) console.log(`::stop-commands::${token}`);
  const child = spawn(process.execPath, [program, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks = { stdout: [], stderr: [] };
  child.stdout.on('data', (chunk) => chunks.stdout.push(chunk));
  child.stderr.on('data', (chunk) => {
    chunks.stderr.push(chunk);
    if (isTold) process.stdout.write(chunk);
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => child.kill(signal)); // a workflow that is cancelled
  const code = await new Promise((done) => child.on('close', (status) => done(status ?? 1)).on('error', () => done(1)));
  if (isTold) console.log(`\n::${token}::`);
  const { stdout, stderr } = chunks;
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Lines that are not empty, as they are. */
function linesOf(input) {
  return (input ?? '').split(/\r?\n/).filter((line) => line !== '');
}

/** A path that cannot be taken for an option, standard input or a command. */
function asPath(path) {
  return /^-|^[a-z]+$/.test(path) ? `./${path}` : path;
}

function fromWorkspace(path) {
  return relative(env.GITHUB_WORKSPACE ?? folder, resolve(folder, path)).replaceAll('\\', '/');
}

/** A text of any kind, several lines of it, too. */
function setOutput(name, value) {
  const end = randomUUID();
  appendFileSync(env.GITHUB_OUTPUT, `${name}<<${end}\n${value}\n${end}\n`);
}

function summaryText(markdown) {
  if (env.GITHUB_STEP_SUMMARY) appendFileSync(env.GITHUB_STEP_SUMMARY, `${markdown}\n`);
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map(text).join(' | ')} |\n`;
  return `${line(head)}|${head.map((_, index) => (index === 0 ? ' --- |' : ' --: |')).join('')}\n${rows.map(line).join('')}\n`;
}

/** Any text as text of Markdown: whatever could be more than that is an entity, and a control character a blank. */
function text(value) {
  const written = typeof value === 'number' ? value.toLocaleString('en-US') : String(value);
  return written.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').replace(/[^\p{L}\p{N} .,%/=-]/gu, (character) => `&#${character.codePointAt(0)};`);
}

function warning(file, line, title, message) {
  console.log(`::warning file=${property(fromWorkspace(file))},line=${property(line)},title=${property(title)}::${data(message)}`);
}

/** Gives the exit code of a step that fails. */
function failed(message) {
  console.log(`::error title=etl-stream::${data(message)}`);
  return 1;
}

/** Escaped as the runner unescapes it: the text of a command, and the value of one of its properties. */
function data(value) {
  return String(value).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(value) {
  return data(value).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
