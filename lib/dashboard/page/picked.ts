/** Which region all of the page is about, and the way back to all of them: this button, Escape, or the region's own button again. */
import { h } from '../../page/dom.ts';
import { fullNameOf } from './names.ts';
import { busy, type Panel } from './panel.ts';
import type { Store } from './store.ts';

export function picked(store: Store): Panel {
  // One button, whatever it says: who presses it keeps the focus.
  const button = h('button', { type: 'button', class: 'chip' });
  const clear = (): void => store.go({ region: null });
  button.addEventListener('click', clear);
  document.addEventListener('keydown', (event) => {
    const isText = event.target instanceof HTMLElement && event.target.matches('input, textarea, select, [contenteditable]');
    if (event.key === 'Escape' && !event.defaultPrevented && !isText) clear();
  });
  const element = h('div', { class: 'picked', role: 'region', 'aria-label': 'Filter' }, h('span', { class: 'label' }, 'Showing'), button);
  return {
    element,
    show({ region, selection }) {
      const isPicked = region !== null;
      element.classList.toggle('is-picked', isPicked);
      busy(element, selection.status === 'loading');
      button.replaceChildren(...(isPicked ? [h('bdi', {}, fullNameOf(region)), h('span', { class: 'cross', 'aria-hidden': 'true' }, '×'), h('span', { class: 'hidden' }, ', show all regions')] : ['all regions']));
      button.setAttribute('aria-disabled', String(!isPicked));
      button.tabIndex = isPicked ? 0 : -1;
    },
  };
}
