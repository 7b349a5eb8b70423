/** Makes the page of the report that stands in it. */
import type { RunReport } from '../report.ts';
import { h, type Child } from '../../page/dom.ts';
import { rejects, results } from './result-charts.ts';
import { circumstances, files, headline, inputs, keyFigures, warnings } from './sections.ts';
import { memory, phases, throughput } from './time-charts.ts';

const report = JSON.parse(document.getElementById('report')!.textContent) as RunReport;

const sections: readonly (readonly [id: string, title: string, ...content: Child[]])[] = [
  ['speed', 'Speed', h('div', { class: 'charts' }, throughput(report), memory(report), phases(report))],
  ['result', 'Result', h('div', { class: 'charts' }, ...results(report))],
  ['rejects', 'Rejects', h('div', { class: 'charts' }, rejects(report))],
  ['inputs', 'Inputs', ...inputs(report)],
  ['output', 'Output', ...files(report)],
  ['run', 'Options and machine', ...circumstances(report)],
];

function attribution(): Child {
  if (report.options.geoDb !== null) return undefined;
  return h('p', {}, h('a', { href: 'https://db-ip.com' }, 'IP Geolocation by DB-IP'), ', licensed under ', h('a', { href: 'https://creativecommons.org/licenses/by/4.0/' }, 'CC BY 4.0'), '.');
}

function notices(): HTMLElement {
  const template = document.getElementById('notices') as HTMLTemplateElement;
  return h('details', {}, h('summary', {}, 'Licences of the software in this page'), h('pre', { tabindex: '0', 'aria-label': 'Licences' }, template.content.cloneNode(true)));
}

document.getElementById('page')!.replaceWith(
  headline(report),
  h('nav', { 'aria-label': 'Sections' }, h('ul', {}, ...sections.map(([id, title]) => h('li', {}, h('a', { href: `#${id}` }, title))))),
  h('main', { id: 'main', tabindex: '-1' },
    warnings(report),
    h('section', { 'aria-labelledby': 'figures' }, h('h2', { id: 'figures', class: 'hidden' }, 'Key figures'), keyFigures(report)),
    ...sections.map(([id, title, ...content]) => h('section', { id, 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), ...content))),
  h('footer', {},
    h('p', {}, 'All of this, and more, as JSON: ', h('code', {}, `reports/${report.run}.json`), ' beside this page. Nothing here was loaded from a network.'),
    attribution(),
    notices()));
