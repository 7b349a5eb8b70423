/** Every relative link in a document leads to a file, and every #anchor to a heading there, by the rules of GitHub. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { documents, proseOf, ROOT, textOf } from './documents.ts';

/** Targets of links and pictures that are written inline. */
function linksOf(markdown: string): string[] {
  const prose = proseOf(markdown).replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
}

/** Anchors of headings, numbered where one comes again. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of proseOf(markdown).matchAll(/^#{1,6} (.+)$/gm)) {
    const plain = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').trim().toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-');
    let unique = anchor;
    for (let again = 1; anchors.has(unique); again++) unique = `${anchor}-${again}`;
    anchors.add(unique);
  }
  return anchors;
}

test('every link leads somewhere', () => {
  let seen = 0;
  for (const document of documents()) {
    for (const link of linksOf(textOf(document))) {
      if (/^[a-z]+:/.test(link)) continue;
      seen++;
      const [path, anchor] = link.split('#') as [string, string?];
      const target = path === '' ? document : relative(ROOT, join(ROOT, dirname(document), decodeURIComponent(path)));
      assert.ok(existsSync(join(ROOT, target)), `${document}: ${link} is not there`);
      if (anchor === undefined) continue;
      assert.ok(statSync(join(ROOT, target)).isFile() && target.endsWith('.md'), `${document}: ${link} has an anchor in what is no document`);
      assert.ok(anchorsOf(textOf(target)).has(anchor), `${document}: ${link} leads to no heading`);
    }
  }
  assert.ok(seen > 20, `only ${seen} links were found: the scan is broken`);
});

test('anchors are those of GitHub', () => {
  assert.deepEqual([...anchorsOf('# A `b-c`, D_e?\n## `ETL_USAGE`\n## Twice\n## Twice\n### [a link](x.md) & more\n```sh\n# none\n```\n')],
    ['a-b-c-d_e', 'etl_usage', 'twice', 'twice-1', 'a-link--more']);
});

test('documents say nothing of the machine that they were written on', () => {
  for (const document of documents()) assert.ok(!/\/(?:tmp|root|work)\/\w/.test(textOf(document)), document);
});
