/** The documents of this repository as its tests see them: which there are, and their fenced blocks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** Folders that hold no document of ours. */
const FOREIGN = new Set(['node_modules', 'dist', 'data', '.venv', '.git', 'demo-output', 'etl-output']);

export interface Block {
  readonly language: string;
  readonly text: string;
  /** Lines of its fences, from 0. */
  readonly start: number;
  readonly end: number;
}

/** Every Markdown file, relative to the root, sorted. */
export function documents(): string[] {
  const found: string[] = [];
  const look = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && !FOREIGN.has(entry.name)) look(path);
      else if (entry.isFile() && entry.name.endsWith('.md')) found.push(path);
    }
  };
  look('.');
  return found.sort();
}

/** Those that tell a reader what to type; results of benchmarks and the log of changes do not. */
export function guides(): string[] {
  return documents().filter((path) => !path.startsWith('bench/results/') && path !== 'CHANGELOG.md');
}

export function textOf(document: string): string {
  return readFileSync(join(ROOT, document), 'utf8');
}

/** Fenced blocks, indented ones too, in order. */
export function blocksOf(markdown: string): Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  for (let start = 0; start < lines.length; start++) {
    const fence = /^(\s*)(`{3,})(\w*)/.exec(lines[start]!);
    if (!fence) continue;
    let end = start + 1;
    while (end < lines.length && !lines[end]!.startsWith(fence[1]! + fence[2]!)) end++;
    const text = lines.slice(start + 1, end).map((line) => line.slice(fence[1]!.length)).join('\n');
    blocks.push({ language: fence[3]!, text, start, end });
    start = end;
  }
  return blocks;
}

/** The block of output that belongs to `block`: a ```text block with nothing but blank lines between. */
export function outputAfter(markdown: string, block: Block): Block | undefined {
  const next = blocksOf(markdown).find(({ start }) => start > block.end);
  if (next?.language !== 'text') return undefined;
  const between = markdown.split('\n').slice(block.end + 1, next.start);
  return between.every((line) => line.trim() === '') ? next : undefined;
}

/** The document without its fenced blocks, for what is prose in it. */
export function proseOf(markdown: string): string {
  const lines = markdown.split('\n');
  for (const { start, end } of blocksOf(markdown)) lines.fill('', start, end + 1);
  return lines.join('\n');
}
