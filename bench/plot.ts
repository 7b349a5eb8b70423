/**
 * Bar charts as SVG, by hand: two panels (wall time, peak RSS), one bar a contender, from zero and linear, each with its figure.
 * A library would be a dependency larger than the project for sixty lines; colours are of middle brightness, so that the
 * image reads on light and dark pages alike (an image cannot know the page's theme, only the system's).
 */
export interface Bar {
  name: string;
  value: number;
  /** What is written at its end. */
  label: string;
  own: boolean;
}

export interface Panel {
  title: string;
  bars: readonly Bar[];
}

const WIDTH = 760;
const NAMES = 190;
const LABELS = 84;
const ROW = 24;
const TITLE = 34;
const TEXT = '#7d8590';
const OWN = '#2f81f7';
const PEER = '#8b949e';

export function barChart(title: string, panels: readonly Panel[], captions: readonly string[]): string {
  const parts: string[] = [];
  let y = 30;
  parts.push(text(0, 18, title, 'font-size="15" font-weight="600"'));
  for (const panel of panels) {
    const most = Math.max(...panel.bars.map(({ value }) => value));
    parts.push(text(0, y + 22, panel.title, 'font-weight="600"'));
    y += TITLE;
    for (const { name, value, label, own } of panel.bars) {
      const width = ((WIDTH - NAMES - LABELS) * value) / most;
      parts.push(
        text(NAMES - 10, y + 15, name, `text-anchor="end"${own ? ' font-weight="600"' : ''}`),
        `<rect x="${NAMES}" y="${y + 3}" width="${Math.max(width, 1).toFixed(1)}" height="${ROW - 7}" rx="2" fill="${own ? OWN : PEER}"/>`,
        text(NAMES + Math.max(width, 1) + 6, y + 15, label, own ? 'font-weight="600"' : ''),
      );
      y += ROW;
    }
    y += 6;
  }
  y += 8;
  for (const caption of captions) parts.push(text(0, (y += 15), caption, 'font-size="11"'));
  const height = y + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}"`,
    ` font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" fill="${TEXT}">\n`,
    ...parts.map((part) => `  ${part}\n`), '</svg>\n',
  ].join('');
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y}"${attributes && ` ${attributes}`}>${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
