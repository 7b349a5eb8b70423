/** Where what is shown comes from, and the licences. */
import { h, visible } from '../../page/dom.ts';
import { differs, type Panel } from './panel.ts';

export function footer(): Panel {
  const sources = h('div');
  const notices = (document.getElementById('notices') as HTMLTemplateElement).content.cloneNode(true);
  const isNew = differs();
  return {
    element: h('footer', {}, sources,
      h('p', {}, 'Shapes of the map: ', h('a', { href: 'https://www.naturalearthdata.com' }, 'Natural Earth'), ', in the public domain. Nothing here was loaded from another server.'),
      h('details', {}, h('summary', {}, 'Licences of the software in this page'), h('pre', { tabindex: '0', 'aria-label': 'Licences' }, notices))),
    show({ overview }) {
      if (!isNew(overview)) return;
      const { geoDatabase: { type, buildDate, isEmbedded }, version } = overview;
      sources.replaceChildren(
        h('p', {}, `Written by etl-stream ${visible(version)}, with the IP database ${visible(type)} of ${visible(buildDate.slice(0, 10))}.`),
        ...(isEmbedded ? [h('p', {}, h('a', { href: 'https://db-ip.com' }, 'IP Geolocation by DB-IP'), ', licensed under ', h('a', { href: 'https://creativecommons.org/licenses/by/4.0/' }, 'CC BY 4.0'), '.')] : []));
    },
  };
}
