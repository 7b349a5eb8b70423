// Licences of the packages that a bundle has something of, as one text: names, then the licence that they have in common.
import { readFileSync, readdirSync } from 'node:fs';

/** `metafile`: esbuild's; `more`: folders of packages that are in it by other ways than imports. */
export function licencesOf(metafile, more = []) {
  const licences = new Map();
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs)).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const packages = new Set([...used.map(([path]) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter((folder) => folder !== undefined), ...more]);
  for (const folder of [...packages].sort()) {
    const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence`);
    const text = readFileSync(`${folder}/${file}`, 'utf8').trim();
    licences.set(text, [...(licences.get(text) ?? []), `${name} ${version}`]);
  }
  return Array.from(licences, ([text, names]) => `${names.join(', ')}\n\n${text}`).join('\n\n\n');
}

/** As text in HTML. */
export function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
