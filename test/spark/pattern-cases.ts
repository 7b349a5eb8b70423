/** Random patterns of JavaScript, with texts made to match some of them; and what Java is to be told. */
import { EtlError } from '../../lib/core/errors.ts';
import { javaPattern } from '../../lib/spark/pattern.ts';
import { picker } from '../parse/general.ts';
import { random } from '../random.ts';

export interface PatternCase {
  readonly source: string;
  readonly java: string;
  readonly texts: readonly string[];
}

const LITERALS = ['a', 'b', 'é', '😀', '-', '\\.', '\\\\', '\\/', '\\t', '\\n', '\\x61', '\\u0062', '\\u{1f600}', '\\ud83d\\ude00', '&', '#', ' ', '"', "'", '~', '\\cJ', '\\0', ','];
const SETS = [
  '.', '\\d', '\\D', '\\w', '\\W', '\\s', '\\S', '[ab]', '[^a]', '[^]', '[]', '[a-c1-3]', '[&&a]', '[a&&b]', '[[a]', '[\\]\\-^]', '[^\\W_]', '[\\s\\d]', '[\\u{1f600}-\\u{1f610}é]', '[\\b\\x00]', '[^\\p{L}]',
  '\\p{L}', '\\P{Lu}', '\\p{Script=Greek}', '[\\p{Nd}-]', '\\p{Emoji}', '[#&~-]', '\\p{ASCII}', '[^\\s\\S]',
];
const EDGES = ['\\b', '\\B', '^', '$', '(?=a)', '(?!b)', '(?<=a)', '(?<!a)', '(?<=[ab]{1,2})', '(?=.*b)', '(?<!\\d\\w)', '(?<=^a)', '(?=(?:a|b)+$)'];
const COUNTS = ['*', '+', '?', '*?', '+?', '??', '{2}', '{0,2}', '{1,}', '{1,3}?', '{0}'];
const CHARACTERS = ['a', 'a', 'a', 'b', 'b', '1', 'é', '😀', '-', '.', '\\', '/', '\t', '\n', '\r', '\u2028', '\u00a0', '\ufeff', '\u0085', '_', 'A', 'λ', ' ', '"', '&', '#', '[', ']', '^', '\0', '٣', '\v', '\b', 'ſ', '\u180e'];

/** `count` of those that Java can be told. */
export async function differentialPatterns(seed: number, count: number): Promise<PatternCase[]> {
  const next = random(seed);
  const pick = picker(next);
  const cases: PatternCase[] = [];
  while (cases.length < count) {
    const source = alternatives(next, 3);
    const expression = new RegExp(`^(?:${source})$`, 'u');
    const java = await javaPattern(source, 'x').catch((error: unknown) => {
      if (!(error instanceof EtlError && error.code === 'ETL_USAGE')) throw error;
    });
    if (java === undefined) continue;
    const all = Array.from({ length: 120 }, () => Array.from({ length: pick([0, 1, 1, 2, 2, 3, 4, 6, 9]) }, () => pick(CHARACTERS)).join(''));
    const texts = [...new Set(all)];
    const taken = texts.filter((text) => expression.test(text)).slice(0, 8);
    cases.push({ source, java, texts: [...taken, ...texts.filter((text) => !taken.includes(text)).slice(0, 8)] });
  }
  return cases;
}

function alternatives(next: () => number, depth: number): string {
  const pick = picker(next);
  return Array.from({ length: pick([1, 1, 1, 2, 3]) }, () => Array.from({ length: pick([0, 1, 1, 2, 2, 3]) }, () => term(next, depth)).join('')).join('|');
}

function term(next: () => number, depth: number): string {
  const pick = picker(next);
  const kind = next();
  if (kind < 0.12) return pick(EDGES);
  if (kind < 0.18) return `(${alternatives(next, 0)})${pick(['', 'a', '.'])}\\1`.replace(/^\((.*)\)(.?)\\1$/su, (_, inside: string, between: string) => `(?:(?<g${Math.floor(next() * 1e9)}>${inside})${between})`);
  const atom = kind < 0.45 || depth === 0 ? pick(LITERALS) : kind < 0.72 ? pick(SETS) : `${pick(['(?:', '(', '(?:'])}${alternatives(next, depth - 1)})`;
  return next() < 0.4 ? atom + pick(COUNTS) : atom;
}
