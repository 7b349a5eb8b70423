/** What a folder's logs are, by extension or by --glob, and which dialect they have. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { listInputs, type ListOptions } from '../../lib/source/inputs.ts';
import { temporaryFolder } from '../temporary.ts';

const NAMES = [
  'a.csv', 'b.TSV', 'c.csv.gz', 'd.tsv.zst', 'e.csv.bz2', 'f.csv.xz', 'g.txt', 'h.log', 'csv', 'i.csv~', '.hidden.csv', '.hidden.log',
  'days/01/a.log', 'days/01/a.csv', 'days/02/b.log', 'days/.old/c.log', '.git/d.log', 'odd [x]/e.log', 'days/02/b.log.gz',
];

function folderOf(t: TestContext): string {
  const folder = temporaryFolder(t);
  for (const name of NAMES) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), 'x');
  }
  return folder;
}

const list = async (folder: string, options: ListOptions = {}): Promise<string[]> =>
  (await listInputs([folder], options)).map(({ name }) => name.slice(folder.length + 1));

test('csv and tsv, compressed or not, at every depth', async (t) => {
  assert.deepEqual(await list(folderOf(t)), ['a.csv', 'b.TSV', 'c.csv.gz', 'd.tsv.zst', 'days/01/a.csv', 'e.csv.bz2']);
});

test('a pattern is for the path below the folder; hidden entries only where it has their dot', async (t) => {
  const folder = folderOf(t);
  for (const [glob, expected] of [
    ['*.log', ['h.log']],
    ['**/*.log', ['days/01/a.log', 'days/02/b.log', 'h.log', 'odd [x]/e.log']],
    ['days/*/*.log', ['days/01/a.log', 'days/02/b.log']],
    ['days/**/*.log*', ['days/01/a.log', 'days/02/b.log', 'days/02/b.log.gz']],
    ['days/{01,02}/?.{log,csv}', ['days/01/a.csv', 'days/01/a.log', 'days/02/b.log']],
    ['days/0[2-9]/*', ['days/02/b.log', 'days/02/b.log.gz']],
    ['.*.log', ['.hidden.log']],
    ['days/.old/*', ['days/.old/c.log']],
    ['{.git,days/02}/*.log', ['.git/d.log', 'days/02/b.log']],
    ['!**/*.log', ['a.csv', 'b.TSV', 'c.csv.gz', 'csv', 'd.tsv.zst', 'days/01/a.csv', 'days/02/b.log.gz', 'e.csv.bz2', 'f.csv.xz', 'g.txt', 'i.csv~']],
    ['odd \\[x\\]/*', ['odd [x]/e.log']],
  ] as const) assert.deepEqual(await list(folder, { glob }), expected, glob);
  assert.deepEqual(await list(join(folder, 'days'), { glob: '*/*.log' }), ['01/a.log', '02/b.log'], 'below the folder that was named');
  assert.deepEqual((await listInputs([join(folder, 'g.txt')], { glob: '*.log' })).map(({ path }) => path), [join(folder, 'g.txt')], 'a file that is named is read');
});

test('a pattern that nothing matches, and one that is none', async (t) => {
  const folder = folderOf(t);
  symlinkSync(join(folder, 'days'), join(folder, 'link'));
  for (const glob of ['*.nothing', 'link/**']) {
    await assert.rejects(list(folder, { glob }), { code: 'ETL_INPUT_NOT_FOUND', message: /holds no file that matches --glob/, hint: /\*\*\/\*\.log/ });
  }
  for (const glob of ['[a', 'x'.repeat(70_000)]) await assert.rejects(list(folder, { glob }), { code: 'ETL_USAGE', message: /--glob/ });
});

test('what is called .tsv is separated by tabs, unless something else is said', async (t) => {
  const inputs = await listInputs([folderOf(t), '-'], { dialect: { quote: "'" } });
  assert.deepEqual(inputs.map(({ dialect }) => dialect!.delimiter), [',', '\t', ',', '\t', ',', ',', ',']);
  assert.ok(inputs.every(({ dialect }) => dialect!.quote === "'"));
  const semicolons = await listInputs([folderOf(t), '-'], { dialect: { delimiter: ';' }, encoding: 'latin1' });
  assert.ok(semicolons.every(({ dialect, encoding }) => dialect!.delimiter === ';' && encoding === 'latin1'));
  assert.deepEqual(semicolons.at(-1)!.name, '<stdin>');
});
