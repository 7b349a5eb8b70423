/** A button that copies the address of a query. Without a clipboard, as over HTTP from another machine, the address is shown, selected. */
import { h } from '../../page/dom.ts';

/** Section of the page (main.ts) that such an address begins at. */
const SECTION = '#query';

export function copyLink(sql: () => string): HTMLElement {
  const button = h('button', { type: 'button', class: 'small' }, 'Copy link');
  const status = h('span', { role: 'status', class: 'note' });
  const shown = h('input', { type: 'text', readonly: '', 'aria-label': 'Address of this query', hidden: '' });
  button.addEventListener('click', () => {
    const address = new URL(location.href);
    address.searchParams.set('sql', sql());
    address.hash = SECTION;
    void copy(address.href).then((isCopied) => {
      shown.hidden = isCopied;
      status.textContent = isCopied ? 'Copied.' : 'Copy it from here.';
      if (isCopied) return;
      shown.value = address.href;
      shown.focus();
      shown.select();
    });
  });
  return h('span', { class: 'copy-link' }, button, shown, status);
}

async function copy(text: string): Promise<boolean> {
  // Not there where the page came over HTTP from another machine, whatever the types say.
  const { clipboard } = navigator as { clipboard?: Clipboard };
  if (clipboard === undefined) return false;
  return clipboard.writeText(text).then(() => true, () => false);
}
