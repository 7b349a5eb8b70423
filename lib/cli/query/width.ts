/** How many columns of a terminal a text takes: letters of East Asia and emoji take two, marks that go with a letter none. */

const PLAIN = /^[\x20-\x7e]*$/;
const NONE = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
/** By Unicode's East Asian Width, in ranges: blocks of such letters are rarely mixed. */
const TWO = /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

/** Of a text without control characters. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** The text, or, where it takes more than `most` columns, its beginning and three dots. */
export function cutTo(text: string, most: number): string {
  if (text.length <= most / 2 || widthOf(text) <= most) return text;
  let cut = '';
  let width = 0;
  for (const character of text) {
    width += columnsOf(character);
    if (width > most - 3) break;
    cut += character;
  }
  return `${cut}...`;
}

function columnsOf(character: string): number {
  return NONE.test(character) ? 0 : TWO.test(character) ? 2 : 1;
}
