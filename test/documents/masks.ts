/**
 * What of a program's output differs from run to run and machine to machine: times, speeds, memory, moments, random names.
 * Everything else in a document's output must be what the commands print.
 */

/** Stands for the folder in which the commands were entered, and is as long as its name, so that tables stay aligned. */
export const HOME = '/home/you/streaming';

/** Each is what precedes the figure (kept), and the figure. */
const VARYING: readonly RegExp[] = [
  /()\d[\d,.]* (?:ms|s|[KMG]?B\/s|rows\/s)(?![\w/])/g,
  /(^\s*(?:seconds|time)\s+)\d[\d.]*/gm,
  /(peak RSS\s+)[\d.]+ [KMG]B(?:\s+of [\d.]+ [KMG]B)?/g,
  /(LevelDB )[\d.]+ [KMG]?B/g,
  /(at least |It has )\d+MB/g,
  /()[\d,]+ (?=bytes before,)/g,
  /(bytes before, )[\d,]+/g,
  /()\d{4}-\d\d-\d\dT[\d:.]+Z/g,
  /(^\d{4}-\d\d-\d\d [\d:]{8} .* )[\d.]+$/gm,
  /()\d{4}-\d\d-\d\d [\d:]{8}(?= )/g,
  /()\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g,
  /(\bv-)[0-9a-f]{6,}/g,
];

/** Two outputs that are equal when masked say the same. Columns are as wide as their figures, so runs of blanks are one. */
export function masked(output: string): string {
  return VARYING.reduce((text, pattern) => text.replace(pattern, '$1…'), output).replace(/[ \t]+/g, ' ').replace(/ $/gm, '').trimEnd();
}
