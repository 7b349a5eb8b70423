import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryFolder } from '../temporary.ts';

/** A temporary folder with these files, to stand for `/`. */
export function tree(context: TestContext, files: Record<string, string>): string {
  const root = temporaryFolder(context);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}
