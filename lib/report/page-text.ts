/**
 * A report as a page: the template that the build made of `page/` (scripts/build-page.mjs), with the report's JSON put into it.
 * The JSON is full of text from outside: it stands in a block of data, where a browser sees no markup, and nothing in it
 * can end that block. The template is read for each page, and not kept.
 */
import { readFile } from 'node:fs/promises';
import type { RunReport } from './report.ts';
import { shortened } from './shortened.ts';

/** What stands where the JSON goes. */
const PLACE = '"REPORT"';
/** Longer lists are of no use to anybody on a page. */
const MOST = { inputs: 200, files: 200, regions: 250 };

/** The page's pieces, in order. Throws what the file system throws, and an Error when the template is damaged. */
export async function pageOf(report: RunReport): Promise<Buffer[]> {
  const template = await readFile(new URL('./report.html', import.meta.url));
  const at = template.indexOf(PLACE);
  if (at < 0) throw new Error('the template of the report has no place for it');
  return [template.subarray(0, at), Buffer.from(asData(shortened(report, MOST))), template.subarray(at + PLACE.length)];
}

/** As JSON that can stand in a script element: it has no `<`, and no line end that is one in JavaScript alone. */
export function asData(value: unknown): string {
  return JSON.stringify(value).replace(/[<\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
