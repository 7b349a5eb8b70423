// Makes lib/report/report.html, the template of a run's report as a page: client code and style of lib/report/page/ in one file,
// with the licences of the libraries that are in it, and a policy that lets a browser run this code and nothing else.
// A run puts its report into it (lib/report/page-text.ts).
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { build, transform } from 'esbuild';

const PAGE = 'lib/report/page';

const { outputFiles: [code], metafile } = await build({
  entryPoints: [`${PAGE}/main.ts`], bundle: true, minify: true, format: 'iife', target: 'es2022', charset: 'utf8', write: false, metafile: true, outdir: 'dist', logLevel: 'warning',
});
const script = code.text.trim().replaceAll('</script', '<\\/script');
const style = (await transform(readFileSync(`${PAGE}/style.css`, 'utf8'), { loader: 'css', minify: true })).code.trim();

/** Licences by text, of the packages that the code has something of. */
const licences = new Map();
const [bundled] = Object.values(metafile.outputs);
const packages = new Set(Object.entries(bundled.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  .map(([path]) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter((folder) => folder !== undefined));
for (const folder of [...packages].sort()) {
  const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} has no licence`);
  const text = readFileSync(`${folder}/${file}`, 'utf8').trim();
  licences.set(text, [...(licences.get(text) ?? []), `${name} ${version}`]);
}
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const notices = Array.from(licences, ([text, names]) => `${names.join(', ')}\n\n${text}`).join('\n\n\n');

const hash = (text) => `sha256-${createHash('sha256').update(text).digest('base64')}`;
const parts = { 'SCRIPT-HASH': hash(script), 'STYLE-HASH': hash(style), STYLE: style, NOTICES: escaped(notices), SCRIPT: script };
const page = readFileSync(`${PAGE}/template.html`, 'utf8').replace(/SCRIPT-HASH|STYLE-HASH|STYLE|NOTICES|SCRIPT/g, (name) => parts[name]);
if (page.split('"REPORT"').length !== 2) throw new Error('the template must have one place for the report');
writeFileSync('lib/report/report.html', page);
