/**
 * Builds an image and runs it, without an engine: each stage is a folder that becomes `/` of its steps, with the programs of this
 * machine in the place of the base's, in namespaces of its own. Needs Linux and root.
 *
 * What differs from an engine: the base is this machine's /usr (read only, /usr/local empty but for Node) and /etc (read only); a
 * layer is not kept; the network is this machine's.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Stage } from './dockerfile.ts';

export interface Container {
  readonly user?: string | undefined;
  readonly folder?: string | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Folders of this machine by where they stand inside. */
  readonly mounts?: Readonly<Record<string, string>> | undefined;
}

/** Why images cannot be built here; undefined where they can. */
export function missingRights(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root';
  return spawnSync('unshare', ['--mount', '--pid', '--fork', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0 ? undefined : 'namespaces are not permitted here';
}

/**
 * Runs the steps of all stages and gives the root folder of the last. `context`: the files that a build sees. `instead`: folders that
 * stand for what a command would make, by the command: it is not run, and each step after it finds them mounted.
 */
export function buildImage(stages: readonly Stage[], context: string, folder: string, instead: Readonly<Record<string, Record<string, string>>> = {}): string {
  const roots = new Map<string | undefined, string>();
  for (const [index, stage] of stages.entries()) {
    const root = join(folder, `stage-${index}`);
    prepareRoot(root, stage.base.startsWith('node:'));
    roots.set(stage.name, root);
    const mounts: Record<string, string> = {};
    let workdir = '/';
    for (const step of stage.steps) {
      if (step.kind === 'workdir') {
        workdir = step.folder;
        mkdirSync(join(root, workdir), { recursive: true });
      } else if (step.kind === 'copy') {
        const from = step.from === undefined ? context : roots.get(step.from)!;
        copy(step.sources.map((source) => join(from, source)), join(root, step.target.startsWith('/') ? '' : workdir, step.target), step.target.endsWith('/'), step.from === undefined);
      } else if (instead[step.command]) {
        Object.assign(mounts, instead[step.command]);
      } else {
        const caches = Object.fromEntries(step.caches.map((target) => [target, join(homedir(), target.replace(/^\/root\//, ''))]));
        for (const cache of Object.values(caches)) mkdirSync(cache, { recursive: true });
        const environment = { ...stage.environment, ...networkOfThisMachine(), HOME: '/root' };
        const { status, stdout, stderr } = spawnSync('unshare', isolated(root, ['/bin/sh', '-c', step.command], { folder: workdir, environment, mounts: { ...mounts, ...caches } }), { encoding: 'utf8' });
        if (status !== 0) throw new Error(`RUN ${step.command}\nended with ${status}\n${stdout}${stderr}`);
      }
    }
  }
  return [...roots.values()].at(-1)!;
}

/** `docker run`: the entrypoint as process 1. */
export function startContainer(root: string, stage: Stage, args: readonly string[], container: Container = {}): ChildProcess {
  const last = stage.steps.findLast((step) => step.kind === 'workdir');
  return spawn('unshare', isolated(root, [...stage.entrypoint!, ...args], {
    user: stage.user, folder: last?.folder, ...container, environment: { ...stage.environment, ...container.environment },
  }), { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Arguments of unshare(1) that run `command` with `root` as its `/`, as process 1. */
function isolated(root: string, command: readonly string[], { user = '0:0', folder = '/', environment = {}, mounts = {} }: Container): string[] {
  for (const target of Object.keys(mounts)) mkdirSync(join(root, target), { recursive: true });
  const script = [
    'set -e',
    'mount --bind "$ROOT/.local" "$ROOT/.local"',
    ...topFolders().map((name) => `mount --bind /${name} "$ROOT/${name}"; mount -o remount,ro,bind "$ROOT/${name}"`),
    'mount --bind "$ROOT/.local" "$ROOT/usr/local"',
    'mount -t proc proc "$ROOT/proc"',
    'mount --rbind /dev "$ROOT/dev"',
    ...Object.entries(mounts).map(([target, source]) => `mount --bind '${source}' "$ROOT${target}"`),
    'user=$1; shift; exec chroot --userspec="$user" --groups= "$ROOT" "$@"',
  ].join('\n');
  const variables = Object.entries({ PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/', ...environment }).map(([name, value]) => `${name}=${value}`);
  return ['--mount', '--pid', '--fork', '--kill-child', 'env', `ROOT=${root}`, 'sh', '-c', script, 'sh', user, 'env', '-i', `--chdir=${folder}`, ...variables, ...command];
}

/** What of the base is taken from this machine. Where /bin and /lib are links into /usr, they are links inside, too. */
function topFolders(): string[] {
  return ['usr', 'etc', 'bin', 'sbin', 'lib', 'lib64'].filter((name) => existsSync(`/${name}`) && !lstatSync(`/${name}`).isSymbolicLink());
}

/** `.local` becomes /usr/local, the one folder of the base that steps write into. */
function prepareRoot(root: string, withNode: boolean): void {
  for (const name of [...topFolders(), 'proc', 'dev', 'tmp', 'root', '.local/bin']) mkdirSync(join(root, name), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    if (existsSync(`/${name}`) && !topFolders().includes(name)) symlinkSync(readlinkSync(`/${name}`), join(root, name));
  }
  if (withNode) cpSync(process.execPath, join(root, '.local/bin/node'), { mode: 0 });
}

/** As COPY does it: of a folder its contents; a link that is named is followed, one inside a folder is copied. What comes of the context is root's. */
function copy(sources: readonly string[], target: string, intoFolder: boolean, isContext: boolean): void {
  const inside = (path: string): string => path.replace('/usr/local/', '/.local/');
  const place = inside(target);
  for (const source of sources.map(inside)) {
    const isFolder = lstatSync(source).isDirectory();
    mkdirSync(isFolder || intoFolder ? place : dirname(place), { recursive: true });
    const { status, stderr } = spawnSync('cp', ['-aH', ...(isContext ? ['--no-preserve=ownership'] : []), isFolder ? `${source}/.` : source, place], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }
}

/** How this machine reaches a registry: what an engine passes on, too, and certificates. */
function networkOfThisMachine(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (/proxy|^npm_config_|^(NODE_EXTRA_CA|SSL)_CERT/i.test(name) && value !== undefined ? [[name, value]] : [])));
}
