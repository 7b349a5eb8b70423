// npm run docs:options: writes the tables of options into README, between its two marks.
import { readFileSync, writeFileSync } from 'node:fs';
import { register } from 'tsx/esm/api';

register(); // what follows runs the sources
const { optionTables } = await import('../lib/cli/options/markdown.ts');
const { program } = await import('../lib/cli/options/table.ts');

const readme = readFileSync('README.md', 'utf8');
const marks = /(<!-- options -->\n)[^]*(\n<!-- \/options -->)/;
if (!marks.test(readme)) throw new Error('README.md has no <!-- options --> … <!-- /options -->');
writeFileSync('README.md', readme.replace(marks, (_, before, after) => before + optionTables(program) + after));
