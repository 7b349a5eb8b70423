/**
 * A Dockerfile as stages and steps, and what a .dockerignore lets in: as much of both as ours use. Anything else is an error, so
 * that no step is silently passed over.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import picomatch from 'picomatch';

export type Step =
  | { readonly kind: 'run'; readonly command: string; /** Folders that live on between builds. */ readonly caches: readonly string[] }
  | { readonly kind: 'copy'; /** Name of a stage; undefined: the context. */ readonly from: string | undefined; readonly sources: readonly string[]; readonly target: string }
  | { readonly kind: 'workdir'; readonly folder: string };

export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly steps: readonly Step[];
  readonly environment: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly entrypoint: readonly string[] | undefined;
}

export function parseDockerfile(text: string): Stage[] {
  const stages: (Stage & { steps: Step[]; environment: Record<string, string>; labels: Record<string, string>; user: string | undefined; entrypoint: string[] | undefined })[] = [];
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line)).join('\n').replace(/\\\n/g, '').split('\n');
  for (const line of lines) {
    const [, instruction, rest] = /^([A-Z]+) (.+)$/.exec(line.trim()) ?? [];
    if (!instruction || !rest) throw new Error(`not an instruction: ${line}`);
    if (instruction === 'FROM') {
      const [, base, name] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
      if (!base) throw new Error(`not a base: ${line}`);
      stages.push({ base, name, steps: [], environment: {}, labels: {}, user: undefined, entrypoint: undefined });
      continue;
    }
    const stage = stages.at(-1);
    if (!stage) throw new Error(`no stage has begun: ${line}`);
    if (instruction === 'RUN') stage.steps.push(runStep(rest));
    else if (instruction === 'COPY') stage.steps.push(copyStep(rest));
    else if (instruction === 'WORKDIR') stage.steps.push({ kind: 'workdir', folder: rest });
    else if (instruction === 'ENV') Object.assign(stage.environment, pairs(rest));
    else if (instruction === 'LABEL') Object.assign(stage.labels, pairs(rest));
    else if (instruction === 'USER') stage.user = rest;
    else if (instruction === 'ENTRYPOINT') stage.entrypoint = JSON.parse(rest) as string[];
    else throw new Error(`unknown instruction: ${line}`);
  }
  return stages;
}

function runStep(rest: string): Step {
  const caches: string[] = [];
  const command = rest.replace(/^(--\S+\s+)+/, (flags) => {
    for (const flag of flags.trim().split(/\s+/)) {
      const [, target] = /^--mount=type=cache,target=(\S+)$/.exec(flag) ?? [];
      if (!target) throw new Error(`unknown flag: ${flag}`);
      caches.push(target);
    }
    return '';
  });
  return { kind: 'run', command, caches };
}

function copyStep(rest: string): Step {
  const words = rest.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--'));
  const from = flags.find((flag) => flag.startsWith('--from='))?.slice('--from='.length);
  if (flags.length > (from === undefined ? 0 : 1)) throw new Error(`unknown flag: ${rest}`);
  const sources = words.slice(flags.length);
  const target = sources.pop();
  if (!target || sources.length === 0) throw new Error(`nothing to copy: ${rest}`);
  return { kind: 'copy', from, sources, target };
}

/** `a=1 b="two words"`. */
function pairs(rest: string): Record<string, string> {
  return Object.fromEntries([...rest.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)].map(([, name, quoted, plain]) => [name!, quoted ?? plain!]));
}

/** Whether a path of the context gets to the build: the last pattern that matches it, or a folder above it, decides. */
export function contextFilter(dockerignore: string): (path: string) => boolean {
  const rules = dockerignore.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#')).map((line) => ({
    lets: line.startsWith('!'), matches: picomatch(line.replace(/^!/, ''), { dot: true }),
  }));
  return (path) => {
    const names = path.split('/');
    const above = names.map((_, index) => names.slice(0, index + 1).join('/'));
    return rules.findLast(({ matches }) => above.some((part) => matches(part)))?.lets ?? true;
  };
}

/** The files of a folder that a build gets to see, sorted. Folders of which nothing is let in are not walked. */
export function contextFiles(folder: string): string[] {
  const lets = contextFilter(readFileSync(join(folder, '.dockerignore'), 'utf8'));
  const walk = (below: string): string[] => readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    if (entry.isDirectory()) return lets(path) ? walk(path) : [];
    return lets(path) ? [path] : [];
  });
  return walk('').sort();
}
