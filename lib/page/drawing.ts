/**
 * Plot's drawings, for a page whose policy takes no style but its own: what Plot would say of style stands in style.css. A drawing is a
 * picture with a sentence (chart.ts), so its parts have no names.
 */
import { plot, type PlotOptions } from '@observablehq/plot';

export function drawn(options: PlotOptions): Element {
  const drawing = plot({ ...options, className: 'plot', style: { color: 'var(--muted)', fontFamily: 'inherit', fontSize: '12px', overflow: 'visible' } });
  for (const style of drawing.querySelectorAll('style')) style.remove();
  for (const part of drawing.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  return drawing;
}
