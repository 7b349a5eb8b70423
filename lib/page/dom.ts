/** Makes elements. Text is always text: what comes from a log never becomes markup. */

export type Child = Node | string | undefined | false;

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Readonly<Record<string, string>> = {}, ...children: readonly Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child): child is Node | string => child !== undefined && child !== false));
  return element;
}

/** Text from outside, set apart from the direction of what stands around it. */
export function outside(text: string): HTMLElement {
  return h('bdi', {}, visible(text));
}

/** What cannot be seen, or changes how other characters are shown, by its number; no text is told as such. */
export function visible(text: string): string {
  return text === '' ? '(empty)' : text.replace(/[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}
