// Makes lib/report/report.html, the template of a run's report as a page: client code and style of lib/page/ and lib/report/page/ in one file,
// with the licences of the libraries that are in it, and a policy that lets a browser run this code and nothing else.
// A run puts its report into it (lib/report/page-text.ts).
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { build, transform } from 'esbuild';
import { escaped, licencesOf } from './licences.mjs';

const PAGE = 'lib/report/page';

const { outputFiles: [code], metafile } = await build({
  entryPoints: [`${PAGE}/main.ts`], bundle: true, minify: true, format: 'iife', target: 'es2022', charset: 'utf8', write: false, metafile: true, outdir: 'dist', logLevel: 'warning',
});
const script = code.text.trim().replaceAll('</script', '<\\/script');
const styles = ['lib/page/style.css', `${PAGE}/style.css`].map((path) => readFileSync(path, 'utf8')).join('\n');
const style = (await transform(styles, { loader: 'css', minify: true })).code.trim();

const hash = (text) => `sha256-${createHash('sha256').update(text).digest('base64')}`;
const parts = { 'SCRIPT-HASH': hash(script), 'STYLE-HASH': hash(style), STYLE: style, NOTICES: escaped(licencesOf(metafile)), SCRIPT: script };
const page = readFileSync(`${PAGE}/template.html`, 'utf8').replace(/SCRIPT-HASH|STYLE-HASH|STYLE|NOTICES|SCRIPT/g, (name) => parts[name]);
if (page.split('"REPORT"').length !== 2) throw new Error('the template must have one place for the report');
writeFileSync('lib/report/report.html', page);
