/**
 * The line on a terminal, drawn:
 *
 *   scatter [=======>            ] 37%  123 MB/s  1.2M rows/s  12 rej  0.4/2.0 GB  eta 0:42
 *
 * In long words where there is room for all, else in short ones, else without what matters least; the bar has the room that is left. ASCII: other
 * characters are two columns wide in some terminals, and none in others.
 */
import type { Paint } from '../color.ts';
import { importanceOf, type Fact, type Facts } from './facts.ts';

/** The first that has room for all facts is taken, or else the last. */
const STYLES = [
  { words: 'long', gap: '  ', leastBar: 20 },
  { words: 'short', gap: '  ', leastBar: 12 },
  { words: 'short', gap: ' ', leastBar: 6 },
] as const;
type Style = (typeof STYLES)[number];
const MOST_BAR = 40;
/** The phase, and how much of it is done. */
const HEAD = 2;

/** Without a line end, and of less than `columns` characters, escapes for colors left out: a full line has its cursor in the next one, in some terminals. */
export function drawLine({ facts, share }: Facts, columns: number, paint: Paint): string {
  const room = Math.max(0, columns - 1);
  const isTooWide = (shown: readonly Fact[], style: Style): boolean => widthOf(shown, style) + (share === undefined ? 0 : 1 + style.leastBar) > room;
  const style = STYLES.find((each) => !isTooWide(facts, each)) ?? STYLES.at(-1)!;
  let shown = facts;
  while (shown.length > HEAD && isTooWide(shown, style)) shown = withoutLeast(shown);
  while (shown.length > 1 && widthOf(shown, style) > room) shown = withoutLeast(shown);
  const left = room - widthOf(shown, style);
  if (left < 0) return facts[0]!.short.slice(0, room);
  const texts = shown.map((fact) => painted(fact, style, paint));
  const head = texts.slice(0, HEAD);
  if (share !== undefined && left > style.leastBar) head.splice(1, 0, drawBar(share, Math.min(MOST_BAR, left - 1), paint));
  return [head.join(' '), ...texts.slice(HEAD)].join(style.gap);
}

function drawBar(share: number, width: number, paint: Paint): string {
  const inner = width - 2;
  const done = Math.floor(share * inner);
  const bar = `${'='.repeat(done)}${done < inner ? '>' : ''}`;
  return `[${paint('green', bar)}${' '.repeat(inner - bar.length)}]`;
}

function widthOf(shown: readonly Fact[], { words, gap }: Style): number {
  const gaps = shown.length > 1 ? 1 + (shown.length - HEAD) * gap.length : 0;
  return shown.reduce((sum, fact) => sum + fact[words].length, gaps);
}

function withoutLeast(shown: readonly Fact[]): readonly Fact[] {
  const least = Math.min(...shown.map(importanceOf));
  return shown.filter((fact) => importanceOf(fact) !== least);
}

function painted(fact: Fact, { words }: Style, paint: Paint): string {
  const text = fact[words];
  if (fact.name === 'phase') return paint('bold', text);
  return fact.name === 'rejected' && !text.startsWith('0 ') ? paint('yellow', text) : text;
}
