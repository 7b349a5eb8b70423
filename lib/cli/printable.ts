/** Text from outside (a header, a name of a file, of a region) must not reach a terminal as something that it acts on. */

/** Control codes, line ends among them; and what changes the direction of the text around it, or ends a line in some terminals. */
const ACTED_ON = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Of a line of text: an ESC becomes the four characters `\x1b`. */
export function printable(text: string): string {
  return text.replace(ACTED_ON, (control) => {
    const hex = control.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`;
  });
}

/** Of several lines, all of them ours. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** A value as indented JSON, which means the same with or without it. */
export function printableJson(value: unknown): string {
  return printableJsonLine(JSON.stringify(value, null, 2));
}

/** JSON that is text already. Line ends in it are between its values. */
export function printableJsonLine(json: string): string {
  return json.replace(ACTED_ON, (control) => (control === '\n' ? control : `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`));
}
