/** Columns of text for a person, the first `left` of them aligned on the left, the others on the right. */
export function table(rows: readonly (readonly string[])[], left: number): string[] {
  const widths = rows[0]!.map((_, column) => rows.reduce((widest, cells) => Math.max(widest, cells[column]!.length), 0));
  const align = (cell: string, column: number): string => (column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!));
  return rows.map((cells) => cells.map(align).join('  ').trimEnd());
}
