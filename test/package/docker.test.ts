/**
 * The Dockerfile, without an engine: what it says, and what its steps make when they are run (test/package/image.ts): the result of
 * the image is that of the build, and as process 1 it ends by a signal.
 *
 * The steps are run where ETL_TEST_IMAGE is set, as .ci/run does: they install from the registry. One of them is not: the first
 * `npm ci`, whose place take the node_modules of this checkout, which the same command made. ETL_TEST_IMAGE=all runs it, too.
 */
import assert from 'node:assert/strict';
import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { generateLogs } from '../../lib/generate/generate.ts';
import { etlStream } from '../cli/program.ts';
import { contents } from '../job/contents.ts';
import { temporaryFolder } from '../temporary.ts';
import { contextFiles, contextFilter, parseDockerfile } from './dockerfile.ts';
import { buildImage, missingRights, startContainer, type Container } from './image.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const stages = parseDockerfile(readFileSync(join(checkout, 'Dockerfile'), 'utf8'));
const image = stages.at(-1)!;
const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };

test('bases have tags, the image is not root, has no shell in front, and says its version', () => {
  for (const { base } of stages) assert.match(base, /^[a-z]+:[\w.-]+$/);
  assert.match(image.user ?? '', /^[1-9]\d*:[1-9]\d*$/);
  assert.deepEqual(image.entrypoint, ['etl-stream']);
  assert.equal(image.labels['org.opencontainers.image.version'], version);
  assert.equal(image.environment['ETL_STREAM_TEMP'], '/scratch');
  assert.equal(image.steps.findLast((step) => step.kind === 'workdir')?.folder, '/data');
});

test('a build sees the sources, and nothing else that may stand in a checkout', () => {
  const lets = contextFilter(readFileSync(join(checkout, '.dockerignore'), 'utf8'));
  for (const path of ['lib/index.ts', 'lib/kernels/assembly/entry/parse.ts', 'bin/etl-stream.ts', 'scripts/build.mjs', 'package-lock.json']) assert.ok(lets(path), path);
  for (const path of ['.env', '.git/config', '.npmrc', 'node_modules/zod/package.json', 'dist/lib/index.js', 'lib/kernels/parse.wasm', 'etl-output/part.parquet', 'logs.csv', 'test/temporary.ts', 'bench/run.ts']) {
    assert.ok(!lets(path), path);
  }
});

const missing = process.env['ETL_TEST_IMAGE'] ? missingRights() : 'the steps are run where ETL_TEST_IMAGE is set';

test('the steps make an image whose result is that of the build', { skip: missing }, async (context) => {
  const folder = temporaryFolder(context);
  const sources = join(folder, 'context');
  for (const path of contextFiles(checkout)) {
    mkdirSync(dirname(join(sources, path)), { recursive: true });
    cpSync(join(checkout, path), join(sources, path));
  }
  const installed = { '/src/node_modules': realpathSync(join(checkout, 'node_modules')) };
  const root = buildImage(stages, sources, folder, process.env['ETL_TEST_IMAGE'] === 'all' ? {} : { 'npm ci --ignore-scripts --no-audit --no-fund': installed });
  const run = (args: readonly string[], container: Container = {}): Promise<Ended> => ended(startContainer(root, image, args, container));

  const data = join(folder, 'data');
  await generateLogs({ folder: join(data, 'logs'), size: 2e6, files: 2, users: 1000, badRows: 0.01 });
  chownTree(data, 1000);
  const mounts = { '/data': data };
  const outside = await etlStream([join(data, 'logs'), '-o', join(folder, 'outside'), '--no-state', '-q'], folder);
  assert.equal(outside.code, 0, outside.stderr);

  await context.test('it says its version', async () => {
    assert.deepEqual(await run(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  });

  await context.test('temporary files go to /scratch, unless a variable says otherwise', async () => {
    assert.match((await run(['config'])).stdout, /^temp +"\/scratch" +ETL_STREAM_TEMP$/m);
    assert.match((await run(['config'], { environment: { ETL_STREAM_TEMP: '/tmp' } })).stdout, /^temp +"\/tmp" +ETL_STREAM_TEMP$/m);
  });

  await context.test('the same bytes as outside, in a mounted folder', async () => {
    assert.deepEqual(await run(['logs/', '--no-state', '-q'], { mounts }), { code: 0, stdout: '', stderr: '' });
    const { '_rejects.jsonl': inside, ...rest } = contents(join(data, 'etl-output'));
    const { '_rejects.jsonl': expected, ...others } = contents(join(folder, 'outside'));
    assert.ok(inside && expected); // they name the inputs, which have other paths
    assert.ok(Object.keys(rest).length > 50);
    assert.deepEqual(rest, others);
    assert.equal(statSync(join(data, 'etl-output/_SUCCESS')).uid, 1000);
  });

  await context.test('with a state, as the owner of a folder that is not its own', async () => {
    const theirs = join(folder, 'theirs');
    cpSync(join(data, 'logs'), join(theirs, 'logs'), { recursive: true });
    chownTree(theirs, 4321);
    const refused = await run(['logs/', '-q'], { mounts: { '/data': theirs } });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /permission denied.*\[ETL_\w+\]/i);
    const container = { mounts: { '/data': theirs }, user: '4321:4321' };
    for (const _ of ['first', 'again']) assert.deepEqual(await run(['logs/', '-q'], container), { code: 0, stdout: '', stderr: '' });
    assert.match((await run(['state', 'check', 'etl-output'], container)).stdout, /^nothing wrong/);
    assert.equal(statSync(join(theirs, 'etl-output/_SUCCESS')).uid, 4321);
  });

  for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]] as const) {
    await context.test(`${signal} in the middle of a run ends it as process 1, and leaves nothing`, async () => {
      for (const args of [['pipe', '-o', 'stopped', '--no-state'], ['parse', 'pipe', '--json'], ['validate', 'pipe']]) {
        const before = [...readdirSync(data), ...readdirSync(join(root, 'scratch'))];
        execFileSync('mkfifo', [join(data, 'pipe')]);
        chownSync(join(data, 'pipe'), 1000, 1000);
        const child = startContainer(root, image, args, { mounts });
        const result = ended(child);
        const pipe = await open(join(data, 'pipe'), 'w'); // waits until the program has opened it
        await pipe.write('log_id,user_id,timestamp,ip_address,watch_time(min)\n'.padEnd(1 << 20, '1,u,2026-11-30T00:00:00Z,192.0.2.1,1\n'));
        process.kill(firstProcess(child), signal);
        assert.equal((await result).code, code, args.join(' '));
        await pipe.close();
        execFileSync('rm', [join(data, 'pipe')]);
        assert.deepEqual([...readdirSync(data), ...readdirSync(join(root, 'scratch'))], before);
      }
    });
  }
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function ended(child: ChildProcess): Promise<Ended> {
  const text = async (stream: NonNullable<ChildProcess['stdout']>): Promise<string> => Buffer.concat(await stream.toArray() as Buffer[]).toString();
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}

/** The pid, as seen from here, of what is process 1 inside. */
function firstProcess({ pid }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

function chownTree(folder: string, owner: number): void {
  execFileSync('chown', ['-R', `${owner}:${owner}`, folder]);
}
