// Makes dist/lib/dashboard/, the page of `etl-stream dashboard`: all that a browser gets but for data. Comes after build.mjs, which empties dist/.
//
//   index.html          names the others, and has the licences of the libraries in them
//   app-<hash>.js       lib/dashboard/page/ and lib/page/
//   app-<hash>.css
//   world-<hash>.json   shapes of the world's countries
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build, transform } from 'esbuild';
import { escaped, licencesOf } from './licences.mjs';
import { ATLAS_FOLDER, world } from './world.mjs';

const PAGE = 'lib/dashboard/page';
const OUT = 'dist/lib/dashboard';
/** Of all of it, compressed. */
const MOST_BYTES = 400e3;

const { outputFiles: [code], metafile } = await build({
  entryPoints: [`${PAGE}/main.ts`], bundle: true, minify: true, format: 'esm', target: 'es2022', charset: 'utf8', write: false, metafile: true, outdir: 'dist', logLevel: 'warning',
});
const styles = ['lib/page/style.css', `${PAGE}/style.css`, `${PAGE}/panels.css`].map((path) => readFileSync(path, 'utf8')).join('\n');
const { code: style } = await transform(styles, { loader: 'css', minify: true });

mkdirSync(OUT, { recursive: true });
// The library's types stand there, too.
for (const name of readdirSync(OUT)) if (!name.endsWith('.d.ts')) rmSync(`${OUT}/${name}`);
let bytes = 0;
const write = (name, text) => {
  bytes += gzipSync(text).length;
  writeFileSync(`${OUT}/${name}`, text);
  return name;
};
/** Its name tells its content, so a browser may keep it for ever. */
const asset = (name, ending, text) => write(`${name}-${createHash('sha256').update(text).digest('hex').slice(0, 10)}.${ending}`, text);
const parts = {
  SCRIPT: asset('app', 'js', code.text), STYLE: asset('app', 'css', style), WORLD: asset('world', 'json', JSON.stringify(world())),
  NOTICES: escaped(licencesOf(metafile, [ATLAS_FOLDER])),
};
write('index.html', readFileSync(`${PAGE}/template.html`, 'utf8').replace(/SCRIPT|STYLE|WORLD|NOTICES/g, (name) => parts[name]));
console.log(`the dashboard's page: ${(bytes / 1000).toFixed(0)} KB compressed`);
if (bytes > MOST_BYTES) throw new Error(`the dashboard's page is over ${MOST_BYTES / 1000} KB`);
