/**
 * SQL as far as one must know where a statement ends: comments, texts and names in quotes of every kind. What is found here is only ever a
 * proposal: DuckDB's parser is asked about exactly the text that is executed (statement.ts).
 */

const SPACE = /\s+/y;
const LINE_COMMENT = /--[^\r\n]*/y;
/** Each takes a time that grows with the text alone. What is never closed goes to the end. */
const QUOTED = [/[eE]'[^'\\]*(?:(?:\\[^]|'')[^'\\]*)*(?:'|\\?$)/y, /'[^']*(?:'|$)/y, /"[^"]*(?:"|$)/y, /(\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$)[^]*?(?:\1|$)/y];
const WORD = /[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*/y;

/** What is at `at`: where it ends, and whether it is nothing to the parser. */
function tokenAt(sql: string, at: number): { readonly end: number; readonly isBlank: boolean } {
  for (const blank of [SPACE, LINE_COMMENT]) {
    const end = endOf(blank, sql, at);
    if (end > at) return { end, isBlank: true };
  }
  if (sql.startsWith('/*', at)) return { end: endOfBlockComment(sql, at), isBlank: true };
  for (const token of [...QUOTED, WORD]) {
    const end = endOf(token, sql, at);
    if (end > at) return { end, isBlank: false };
  }
  return { end: at + 1, isBlank: false };
}

function endOf(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : at;
}

/** They nest. */
function endOfBlockComment(sql: string, from: number): number {
  let depth = 0;
  for (let at = from; at < sql.length; at++) {
    if (sql.startsWith('/*', at)) [depth, at] = [depth + 1, at + 1];
    else if (sql.startsWith('*/', at)) {
      at++;
      if (--depth === 0) return at + 1;
    }
  }
  return sql.length;
}

function afterBlanks(sql: string, from: number): number {
  let at = from;
  while (at < sql.length) {
    const { end, isBlank } = tokenAt(sql, at);
    if (!isBlank) break;
    at = end;
  }
  return at;
}

export interface FirstStatement {
  /** Up to the first `;` that stands in no quotes. */
  readonly sql: string;
  /** There is none. */
  readonly isBlank: boolean;
  /** Nothing stands behind it. */
  readonly isLast: boolean;
}

/** Empty ones are none. */
export function firstStatement(sql: string): FirstStatement {
  let start = 0;
  let at = afterBlanks(sql, 0);
  while (sql[at] === ';') at = afterBlanks(sql, start = at + 1);
  const isBlank = at === sql.length;
  while (at < sql.length && sql[at] !== ';') at = tokenAt(sql, at).end;
  const end = at;
  while (sql[at] === ';') at = afterBlanks(sql, at + 1);
  return { sql: sql.slice(start, end), isBlank, isLast: at === sql.length };
}

/** What a statement explains, without EXPLAIN, ANALYZE and options; undefined: it is no EXPLAIN. */
export function explained(statement: string): string | undefined {
  const start = afterBlanks(statement, 0);
  const behind = wordAt(statement, start, 'explain');
  if (behind === start) return undefined;
  let at = afterBlanks(statement, behind);
  const analyze = wordAt(statement, at, 'analyze');
  if (analyze > at) at = afterBlanks(statement, analyze);
  if (/\(\s*(analyze|format)\b/iy.test(statement.slice(at))) at = afterParenthesis(statement, at);
  return statement.slice(afterBlanks(statement, at));
}

function wordAt(sql: string, at: number, word: string): number {
  const end = endOf(WORD, sql, at);
  return sql.slice(at, end).toLowerCase() === word ? end : at;
}

function afterParenthesis(sql: string, from: number): number {
  let [at, depth] = [from, 0];
  while (at < sql.length) {
    if (sql[at] === '(') depth++;
    if (sql[at] === ')' && --depth === 0) return at + 1;
    at = tokenAt(sql, at).end;
  }
  return at;
}
