/** Columns of text for a person, the first `left` of them aligned on the left, the others on the right. */
export function table(rows: readonly (readonly string[])[], left: number): string[] {
  const widths = rows[0]!.map((_, column) => rows.reduce((widest, cells) => Math.max(widest, cells[column]!.length), 0));
  const align = (cell: string, column: number): string => (column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!));
  return rows.map((cells) => cells.map(align).join('  ').trimEnd());
}

/** A moment as ISO 8601 has it, in UTC, to the second: `2026-11-30 04:50:26`. */
export function moment(when: string): string {
  return when.slice(0, 19).replace('T', ' ');
}

/** `text` on lines of at most `width` behind `indent` columns, the first one's left out; never behind a figure, which has its unit there. */
export function wrapped(text: string, { indent, width = 80 }: { readonly indent: number; readonly width?: number }): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<!(?:^|[\s(])[\d,.]+) /)) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line += line === '' ? word : ` ${word}`;
    }
  }
  return [...lines, line].map((each, at) => (at === 0 ? each : ' '.repeat(indent) + each));
}
