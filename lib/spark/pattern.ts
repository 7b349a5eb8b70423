/**
 * A pattern of a rule, which is JavaScript's, as a regular expression of Java that takes the same fields. Only what means the same in
 * both is written: each class is told by its code points, edges and words by what they are; groups are numbered only where something
 * refers back to them. What is not certain to mean the same is refused. That a field matches as a whole is all that is asked, so the order of
 * alternatives does not matter.
 */
import type { AST } from '@eslint-community/regexpp';
import { EtlError } from '../core/errors.ts';
import { complement, pointsOf, union, type CodePoints } from './code-points.ts';
import { hasConditions, mayBeEmpty, precedes } from './pattern-tree.ts';

/** The most that Java counts to. */
const MOST_TIMES = 2 ** 31 - 1;
/** A set with more ranges is divided into blocks, so that few are looked at for a character. */
const BLOCK_RANGES = 16;
const BMP = 0xffff;
const LINE_ENDS: CodePoints = [[0xa, 0xa], [0xd, 0xd], [0x2028, 0x2029]];
const WORD = '[0-9A-Z_a-z]';
const BOUNDARY = `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`;
const NO_BOUNDARY = `(?:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))`;
const NOTHING = '(?:(?!))';

/** `pattern` is one of JavaScript with the flag `u`. Throws ETL_USAGE when Spark cannot say the same. */
export async function javaPattern(pattern: string, column: string): Promise<string> {
  const { RegExpParser } = await import('@eslint-community/regexpp');
  const tree = new RegExpParser().parsePattern(pattern, 0, pattern.length, { unicode: true });
  return `\\A(?:${new Writer(column).alternatives(tree.alternatives)})\\z`;
}

class Writer {
  readonly #column: string;
  /** Numbers of the groups that are referred to. */
  readonly #numbers = new Map<AST.CapturingGroup, number>();
  #lookbehinds = 0;

  constructor(column: string) {
    this.#column = column;
  }

  alternatives(alternatives: readonly AST.Alternative[]): string {
    return alternatives.map(({ elements }) => elements.map((element) => this.#element(element)).join('')).join('|');
  }

  #element(node: AST.Element): string {
    switch (node.type) {
      case 'Character':
        return this.#set([[node.value, node.value]], node);
      case 'CharacterSet':
        return this.#set(this.#points(node), node);
      case 'CharacterClass': {
        if (node.unicodeSets) throw this.#fault(node, 'sets of strings');
        const set = union(...node.elements.map((element) => this.#points(element)));
        return this.#set(node.negate ? complement(set) : set, node);
      }
      case 'Group':
        if (node.modifiers) throw this.#fault(node, 'flags of a group');
        return `(?:${this.alternatives(node.alternatives)})`;
      case 'CapturingGroup':
        if (node.references.length === 0) return `(?:${this.alternatives(node.alternatives)})`;
        this.#numbers.set(node, this.#numbers.size + 1);
        return `(${this.alternatives(node.alternatives)})`;
      case 'Backreference':
        return this.#backreference(node);
      case 'Quantifier':
        return this.#quantifier(node);
      case 'Assertion':
        return this.#assertion(node);
      default:
        throw this.#fault(node, 'this');
    }
  }

  #points(node: AST.CharacterClassElement | AST.CharacterSet): CodePoints {
    switch (node.type) {
      case 'Character':
        return union([[node.value, node.value]]);
      case 'CharacterClassRange':
        return union([[node.min.value, node.max.value]]);
      case 'CharacterSet':
        return node.kind === 'any' ? complement(LINE_ENDS) : pointsOf(node.raw);
      default:
        throw this.#fault(node, 'sets of strings');
    }
  }

  #set(points: CodePoints, node: AST.Node): string {
    const set = union(points);
    // There Java counts in units of UTF-16, and may begin in the middle of a character.
    if (this.#lookbehinds > 0 && (set.at(-1)?.[1] ?? 0) > BMP) throw this.#fault(node, 'a look behind at characters over U+FFFF, as `.` and what is negated take');
    return set.length === 0 ? NOTHING : inJava(set);
  }

  #quantifier(node: AST.Quantifier): string {
    const { min, max, greedy, element } = node;
    if (this.#lookbehinds > 0 && max === Infinity) throw this.#fault(node, 'a look behind without an end');
    if (min > MOST_TIMES) throw this.#fault(node, `more than ${MOST_TIMES} repetitions`);
    // Java ends repetitions with the first that takes nothing, even where fewer than `min` were made.
    const isCut = min > 1 && mayBeEmpty(element);
    if (isCut && hasConditions(element)) throw this.#fault(node, 'a repetition of what may be nothing, on a condition,');
    const most = max > MOST_TIMES ? '' : String(max);
    return `${this.#element(element)}{${isCut ? 0 : min},${most}}${greedy ? '' : '?'}`;
  }

  #assertion(node: AST.Assertion): string {
    switch (node.kind) {
      case 'start':
        return '\\A';
      case 'end':
        return '\\z';
      case 'word':
        return node.negate ? NO_BOUNDARY : BOUNDARY;
      case 'lookahead':
        return `(?${node.negate ? '!' : '='}${this.alternatives(node.alternatives)})`;
      case 'lookbehind': {
        this.#lookbehinds++;
        const inside = this.alternatives(node.alternatives);
        this.#lookbehinds--;
        return `(?<${node.negate ? '!' : '='}${inside})`;
      }
    }
  }

  /** Only to a group that has matched whenever the reference is come to: else it is empty in JavaScript and fails in Java. */
  #backreference(node: AST.Backreference): string {
    const group = node.resolved;
    const number = Array.isArray(group) ? undefined : this.#numbers.get(group);
    if (number === undefined || this.#lookbehinds > 0 || Array.isArray(group) || !precedes(group, node)) {
      throw this.#fault(node, 'a reference to a group that need not have matched before it');
    }
    return `(?:\\${number})`;
  }

  #fault({ raw }: { readonly raw: string }, what: string): EtlError {
    return new EtlError('ETL_USAGE', `--rule ${this.#column}:pattern has ${JSON.stringify(raw)}: ${what} would not mean the same in Spark.`, {
      hint: 'Write it in another way, or run without --engine spark.',
    });
  }
}

/** A class of Java: nested ones and `&&` mean something in it, so all is told by letters and numbers. */
function inJava(set: CodePoints): string {
  if (set.length === 1 && set[0]![0] === set[0]![1]) return point(set[0]![0]);
  if (set.length <= BLOCK_RANGES) return `[${set.map(range).join('')}]`;
  const blocks: string[] = [];
  for (let at = 0; at < set.length; at += BLOCK_RANGES) {
    const block = set.slice(at, at + BLOCK_RANGES);
    blocks.push(`[${range([block[0]![0], block.at(-1)![1]])}&&[${block.map(range).join('')}]]`);
  }
  return `[${blocks.join('')}]`;
}

function range([from, to]: readonly [number, number]): string {
  return from === to ? point(from) : `${point(from)}-${point(to)}`;
}

function point(code: number): string {
  const character = String.fromCodePoint(code);
  return /[0-9A-Z_a-z]/.test(character) ? character : `\\x{${code.toString(16)}}`;
}
