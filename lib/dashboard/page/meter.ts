/** A small bar beside a figure, for the eye only: the figure says it. */
import { h } from '../../page/dom.ts';

/** `share`: of the largest, 0 to 1. */
export function meter(share: number): HTMLElement {
  const fill = h('span', {});
  fill.style.width = `${(100 * Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0))).toFixed(2)}%`;
  return h('span', { class: 'meter', 'aria-hidden': 'true' }, fill);
}
