/**
 * Enters what a document tells its reader to enter, by bash in a prepared folder, one block after the other: ```sh blocks
 * command by command, ```ts blocks as modules. Commands that stand in elsewhere.ts are passed over.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { blocksOf, outputAfter, ROOT, textOf, type Block } from './documents.ts';
import { commandsOf, type DocumentedCommand } from './commands.ts';
import { isElsewhere } from './elsewhere.ts';
import { prepare } from './fixture.ts';
import { HOME } from './masks.ts';

export interface PlayedBlock {
  readonly block: Block;
  /** What its commands printed, both streams, in the order of printing; undefined when none of them can be entered here. */
  readonly output: string | undefined;
  /** What the document says that they print. */
  readonly documented: Block | undefined;
  readonly failures: readonly string[];
}

/** A line of its own before and after each command's output; no output has it. */
const MARK = '\u0001';
/** Of a run that takes more than ten seconds: where other work is under way, any of them may. */
const PROGRESS = /^(?:etl-stream: )?(?:plan|scatter|reduce|publish), .*\n/gm;

export async function play(document: string): Promise<PlayedBlock[]> {
  const markdown = textOf(document);
  const blocks = blocksOf(markdown).filter(({ language }) => language === 'sh' || language === 'ts');
  const entered = blocks.map((block, number) => ({ block, number, commands: enteredOf(block, number) }));
  if (entered.every(({ commands }) => commands.length === 0)) {
    return blocks.map((block) => ({ block, output: undefined, documented: outputAfter(markdown, block), failures: [] }));
  }

  const folder = await realpath(await mkdtemp(join(tmpdir(), 'etl-')));
  try {
    const home = join(folder, 'you');
    await mkdir(home);
    await writeShims(join(folder, 'bin'));
    await mkdir(join(folder, 'node_modules'));
    await symlink(ROOT, join(folder, 'node_modules/etl-stream'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    for (const { block, number } of entered) if (block.language === 'ts') await writeFile(join(folder, moduleName(number)), transformSync(block.text, { loader: 'ts' }).code);
    await prepare(home);
    const script = entered.flatMap(({ commands }) => commands).map(({ text }) => `${text}\nprintf '\\n${MARK}%s\\n' $?\n`).join('');
    await writeFile(join(folder, 'session.sh'), `exec 2>&1\n${script}`);
    const results = resultsOf(await bash(folder, home));

    return entered.map(({ block, commands }) => {
      const failures: string[] = [];
      let output = '';
      for (const { text, exitCode } of commands) {
        const result = results.shift();
        if (result?.code !== exitCode) failures.push(`${text}\n  ended with ${result?.code ?? 'nothing'}, not ${exitCode}:\n${result?.output ?? ''}`);
        output += result?.output.replaceAll(folder + '/you', HOME).replace(PROGRESS, '') ?? '';
      }
      return { block, output: commands.length === 0 ? undefined : output.trimEnd(), documented: outputAfter(markdown, block), failures };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Commands with which the block is entered here. */
function enteredOf(block: Block, number: number): DocumentedCommand[] {
  if (block.language === 'ts') return [{ text: `'${process.execPath}' "$MODULES/${moduleName(number)}"`, exitCode: 0 }];
  return commandsOf(block.text).filter((command) => !isElsewhere(command));
}

function moduleName(number: number): string {
  return `block-${number}.js`;
}

async function writeShims(folder: string): Promise<void> {
  await mkdir(folder);
  const programs = { 'etl-stream': join(ROOT, 'dist/bin/etl-stream.js'), duckdb: join(import.meta.dirname, 'duckdb.mjs') };
  for (const [name, program] of Object.entries(programs)) {
    await writeFile(join(folder, name), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
    await chmod(join(folder, name), 0o755);
  }
}

/** All that the session prints. What is set for this process, options of etl-stream among them, is not set there. */
async function bash(folder: string, home: string): Promise<string> {
  const child = spawn('bash', [join(folder, 'session.sh')], {
    cwd: home,
    env: { PATH: `${join(folder, 'bin')}:${process.env.PATH}`, HOME: home, MODULES: folder, NO_COLOR: '1', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunks] = await Promise.all([child.stdout!.toArray() as Promise<Buffer[]>, once(child, 'close')]);
  return Buffer.concat(chunks).toString();
}

function resultsOf(output: string): { code: number; output: string }[] {
  const parts = output.split(new RegExp(`\\n${MARK}(\\d+)\\n`));
  return Array.from({ length: parts.length >> 1 }, (_, at) => ({ code: Number(parts[2 * at + 1]), output: parts[2 * at]! }));
}
