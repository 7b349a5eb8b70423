/**
 * `--glob` for the job: the regular expression that picomatch makes of a pattern, in the syntax of Python. The job looks at names in
 * Python, with the flag re.ASCII, by the same code units of UTF-16 (etl_stream_spark/log_filter.py).
 */
import picomatch from 'picomatch';
import { logsIn } from '../source/log-filter.ts';

export interface SparkGlob {
  readonly pattern: string;
  /** For Python's re.search. A name that is the pattern itself matches, too. */
  readonly regex: string;
  /** Whether hidden entries may be logs, or hold some. */
  readonly hidden: boolean;
}

/** Throws ETL_USAGE for what is no pattern. */
export function sparkGlob(pattern: string): SparkGlob {
  const { searchesHidden } = logsIn(pattern);
  return { pattern, regex: pythonRegex(picomatch.makeRe(pattern, { windows: false, strictBrackets: true }).source), hidden: searchesHidden };
}

/** Letters that mean something to both after a backslash. */
const KNOWN_ESCAPES = /[dDwWsSbBnrtfvux]/;
/** What `\s` is without Unicode in Python, and what JavaScript takes besides. */
const SPACES = '\\s\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff';

/** A regular expression of JavaScript, without flags, as Python writes it: `$` is the end of text alone, `.` no line end of JavaScript, `[]` nothing. */
export function pythonRegex(source: string): string {
  let python = '';
  for (let at = 0; at < source.length; at++) {
    const character = source[at]!;
    if (character === '\\') python += escaped(source[++at]!);
    else if (character === '$') python += '\\Z';
    else if (character === '.') python += '[^\\n\\r\\u2028\\u2029]';
    else if (character === '[') {
      const end = classEnd(source, at);
      python += classOf(source.slice(at + 1, end));
      at = end;
    } else python += literal(character);
  }
  return python;
}

function escaped(character: string): string {
  if (character === 's') return `[${SPACES}]`;
  if (character === 'S') return `[^${SPACES}]`;
  if (isHalf(character)) return literal(character);
  return /[a-z]/i.test(character) && !KNOWN_ESCAPES.test(character) ? character : `\\${character}`;
}

/** What is beyond 16 bits is two characters to JavaScript, and so it is to the job. */
function literal(character: string): string {
  return isHalf(character) ? `\\u${character.charCodeAt(0).toString(16)}` : character;
}

function isHalf(character: string): boolean {
  return /[\ud800-\udfff]/.test(character);
}

/** Where the class that begins at `at` ends. */
function classEnd(source: string, at: number): number {
  for (let end = at + 1; end < source.length; end++) {
    if (source[end] === '\\') end++;
    else if (source[end] === ']') return end;
  }
  return source.length;
}

/** `inside`: what stands between the brackets. */
function classOf(inside: string): string {
  if (inside === '') return '(?!)';
  if (inside === '^') return '[\\s\\S]';
  const negated = inside.startsWith('^') ? '^' : '';
  let members = '';
  for (let at = negated.length; at < inside.length; at++) {
    const character = inside[at]!;
    // An opening bracket, and what Python may take for a set of sets, stand for themselves.
    if (character === '\\') {
      const next = inside[++at] ?? '\\';
      members += next === 's' ? SPACES : escaped(next);
    } else members += /[[&~|]/.test(character) ? `\\${character}` : literal(character);
  }
  return `[${negated}${members}]`;
}
