/** A ```sh block as the commands that a reader would enter, one after the other. */

export interface DocumentedCommand {
  /** As it stands there, all its lines. */
  readonly text: string;
  /** What it has to exit with: `# exit code 3` at its end, else 0. */
  readonly exitCode: number;
}

/** A command ends with its line, unless that ends in `\`, `|` or `&&`, or a quote or a here-document is open. Lines of comments are none. */
export function commandsOf(block: string): DocumentedCommand[] {
  const commands: DocumentedCommand[] = [];
  const lines = block.split('\n');
  for (let at = 0; at < lines.length; at++) {
    if (/^\s*(#|$)/.test(lines[at]!)) continue;
    let text = lines[at]!;
    while (isOpen(text) && at + 1 < lines.length) text += `\n${lines[++at]!}`;
    const here = /<<-?\s*(['"]?)(\w+)\1/.exec(text);
    if (here) {
      while (at + 1 < lines.length && lines[at + 1]!.trim() !== here[2]) text += `\n${lines[++at]!}`;
      text += `\n${lines[++at] ?? ''}`;
    }
    commands.push({ text, exitCode: Number(/# exit code (\d+)/.exec(text)?.[1] ?? 0) });
  }
  return commands;
}

function isOpen(text: string): boolean {
  let quote = '';
  let last = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (!quote && character === '#' && /^$|\s/.test(last.slice(-1))) {
      while (at + 1 < text.length && text[at + 1] !== '\n') at++;
      continue;
    }
    if (quote === character) quote = '';
    else if (!quote && (character === "'" || character === '"')) quote = character;
    last += character;
    if (character === '\\' && quote !== "'") last += text[++at] ?? '';
  }
  return quote !== '' || /(\\|\||&&)\s*$/.test(last);
}
