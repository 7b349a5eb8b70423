/**
 * Every command of a document does what the document says: it is entered in a prepared folder, ends as it should, and
 * prints what stands below it. `npm run docs` writes down anew what they print.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '../temporary.ts';
import { blocksOf, guides, ROOT, textOf } from './documents.ts';
import { commandsOf, type DocumentedCommand } from './commands.ts';
import { elsewhere, isElsewhere } from './elsewhere.ts';
import { masked } from './masks.ts';
import { play } from './session.ts';

const told = guides().flatMap((document) => blocksOf(textOf(document)).map((block) => ({ document, block })));
const commands: DocumentedCommand[] = told.filter(({ block }) => block.language === 'sh').flatMap(({ block }) => commandsOf(block.text));

describe('commands', { concurrency: 2 }, () => {
  for (const document of new Set(told.map((block) => block.document))) {
    test(document, async () => {
      for (const { block, output, documented, failures } of await play(document)) {
        const place = `${document}:${block.start + 1}`;
        assert.deepEqual(failures, [], place);
        if (documented && output !== undefined) assert.equal(masked(output), masked(documented.text), `${place} prints something else than below; npm run docs writes it`);
      }
    });
  }
});

test('there are commands, and the list of those that are run elsewhere has no other', () => {
  assert.ok(commands.filter((command) => !isElsewhere(command)).length > 30, 'hardly a command was found: the scan is broken');
  for (const { command } of elsewhere) assert.ok(commands.some(({ text }) => text.startsWith(command)), `no document has: ${command}`);
});

test('every script that a document names is one', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  const named = told.flatMap(({ block }) => [...block.text.matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1]!));
  assert.ok(named.includes('bench'));
  for (const name of named) assert.ok(scripts[name], `npm run ${name}`);
});

test('a command ends where a shell says that it does', () => {
  const texts = commandsOf(`# a comment\none | # wait\n  two\necho "a\nb" # it's one\ncat <<'EOF'\n$x "\nEOF\nfalse # exit code 1\n`);
  assert.deepEqual(texts.map(({ text }) => text), ['one | # wait\n  two', 'echo "a\nb" # it\'s one', `cat <<'EOF'\n$x "\nEOF`, 'false # exit code 1']);
  assert.deepEqual(texts.map(({ exitCode }) => exitCode), [0, 0, 0, 1]);
});

test('modules of documents are of the right types', async (t) => {
  const modules = told.filter(({ block }) => block.language === 'ts');
  assert.ok(modules.length > 2);
  const folder = temporaryFolder(t);
  await mkdir(join(folder, 'node_modules'));
  await symlink(ROOT, join(folder, 'node_modules/etl-stream'));
  await symlink(join(ROOT, 'node_modules/@types'), join(folder, 'node_modules/@types'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({
    compilerOptions: { target: 'es2022', module: 'nodenext', lib: ['es2023'], types: ['node'], strict: true, noEmit: true, skipLibCheck: true },
  }));
  for (const [at, { document, block }] of modules.entries()) {
    await writeFile(join(folder, `${at}.ts`), `// ${document}:${block.start + 1}\n${block.text}\nexport {};\n`);
  }
  const { status, stdout } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
