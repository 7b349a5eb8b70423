/**
 * Where an address ends with a section's name (`#rejects`), the page begins there: the section was not there when the browser looked for it,
 * and moves while what is above it is loaded. Until somebody does anything, or it has been a while.
 */
const ENDS = ['wheel', 'touchstart', 'pointerdown', 'keydown'] as const;
const LONGEST_MS = 5000;

export function anchored(content: HTMLElement): void {
  const section = document.getElementById(location.hash.slice(1));
  if (section === null || !content.contains(section)) return;
  const observer = new ResizeObserver(() => section.scrollIntoView({ behavior: 'instant' }));
  observer.observe(content);
  setTimeout(() => observer.disconnect(), LONGEST_MS);
  for (const end of ENDS) addEventListener(end, () => observer.disconnect(), { once: true, passive: true });
}
