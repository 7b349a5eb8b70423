/** Lines of text beside the pointer, for what is under it. Who has no pointer has the same in a list or a table. */
import { h } from '../../page/dom.ts';

const APART = 14;

/** `linesFor`: none, and nothing is shown. The first line is the heading. */
export function tooltip(element: HTMLElement, linesFor: (target: EventTarget | null) => readonly string[] | undefined): void {
  const tip = h('div', { class: 'tooltip', 'aria-hidden': 'true' });
  let shown: EventTarget | null = null;
  const hide = (): void => {
    shown = null;
    tip.remove();
  };
  element.addEventListener('pointermove', ({ target, clientX, clientY, pointerType }) => {
    if (pointerType === 'touch') return;
    if (target !== shown) {
      const lines = linesFor(target);
      if (lines === undefined) return hide();
      shown = target;
      tip.replaceChildren(...lines.filter((line) => line !== '').map((line, at) => (at === 0 ? h('strong', {}, line) : h('span', {}, line))));
      document.body.append(tip);
    }
    const { innerWidth } = window;
    const { offsetWidth, offsetHeight } = tip;
    tip.style.left = `${Math.max(4, clientX + APART + offsetWidth > innerWidth ? clientX - APART - offsetWidth : clientX + APART)}px`;
    tip.style.top = `${Math.max(4, clientY - APART - offsetHeight)}px`;
  });
  element.addEventListener('pointerleave', hide);
  addEventListener('scroll', hide, { passive: true });
}
