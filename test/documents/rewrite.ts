/**
 * npm run docs: enters the commands of every document, or of those named, and writes what they print into the ```text block
 * below them, where it is not what is there. With --all also where only times and the like differ.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guides, ROOT, textOf } from './documents.ts';
import { masked } from './masks.ts';
import { play } from './session.ts';

const all = process.argv.includes('--all');
const named = process.argv.slice(2).filter((argument) => argument !== '--all');

for (const document of named.length > 0 ? named : guides()) {
  const lines = textOf(document).split('\n');
  let written = 0;
  for (const { block, output, documented, failures } of (await play(document)).reverse()) {
    for (const failure of failures) {
      console.error(`${document}:${block.start + 1}: ${failure}`);
      process.exitCode = 1;
    }
    if (!documented || output === undefined || failures.length > 0) continue;
    if (documented.text === output || (!all && masked(documented.text) === masked(output))) continue;
    lines.splice(documented.start + 1, documented.end - documented.start - 1, ...output.split('\n'));
    written++;
  }
  if (written > 0) await writeFile(join(ROOT, document), lines.join('\n'));
  console.log(`${document}: ${written} written`);
}
