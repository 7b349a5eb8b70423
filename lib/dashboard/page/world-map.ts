/**
 * The world by watch time. Shades are classes by powers of ten, for some countries have a thousand times what others have. A click on a country picks
 * it. The map is a picture to a screen reader; the list beside it is the same for the keyboard, and has what is on no map.
 */
import { dot, geo } from '@observablehq/plot';
import type { GeometryCollection } from 'geojson';
import { picture } from '../../page/chart.ts';
import { h } from '../../page/dom.ts';
import { drawn } from '../../page/drawing.ts';
import { compact, count, decimal, number, percent } from '../../page/format.ts';
import { fullNameOf, hasCountries, nameOf } from './names.ts';
import { differs, swap, type Panel } from './panel.ts';
import { bounds, shadeOf } from './shades.ts';
import type { Overview } from '../api.ts';
import type { Store } from './store.ts';
import { tooltip } from './tooltip.ts';
import { loadWorld, type World } from './world.ts';

const HEIGHT_OF_WIDTH = 0.47;
const MOST_NAMED = 3;
type Regions = ReadonlyMap<string, Overview['regions'][0]>;

export function worldMap(store: Store): Panel {
  const element = h('figure', { class: 'map' });
  const isNewOverview = differs();
  let world: World | undefined;
  let overview: Overview | undefined;
  let picked: string | null = null;

  const mark = (): void => {
    for (const shape of element.querySelectorAll<SVGElement>('[data-region]')) {
      const isPicked = shape.dataset['region'] === picked;
      shape.classList.toggle('is-picked', isPicked);
      if (isPicked) shape.parentNode!.append(shape); // above its neighbours
    }
  };
  const fill = (): void => {
    if (world === undefined || overview === undefined) return;
    const { shapes, points } = world;
    const regions: Regions = new Map(overview.regions.map((one) => [one.region, one]));
    const isOnMap = (region: string): boolean => hasCountries() && (points.has(region) || shapes.some(({ id }) => id === region));
    const beside = overview.regions.filter(({ region }) => !isOnMap(region));
    element.hidden = beside.length === overview.regions.length;
    if (element.hidden) return element.replaceChildren();
    const from = bounds(overview.regions.map(({ total }) => Number(total)));
    const message = messageOf(overview);
    swap(element,
      h('figcaption', {}, h('h3', {}, 'Watch time on the map'), h('p', {}, message)),
      legend(from),
      picture(`Map of the world by watch time: ${message}`, (width) => {
        const drawing = draw(width, world!, regions, from);
        queueMicrotask(mark); // when it is in its place
        return drawing;
      }),
      ...(beside.length === 0 ? [] : [h('p', { class: 'note' }, besideText(beside, overview))]));
  };
  const regionAt = (target: EventTarget | null): string | undefined => (target instanceof SVGElement ? target.dataset['region'] : undefined);
  element.addEventListener('click', ({ target }) => {
    const region = regionAt(target);
    if (region !== undefined && overview!.hasSql && overview!.regions.some((one) => one.region === region)) store.go({ region: region === store.view.region ? null : region });
  });
  tooltip(element, (target) => {
    const region = regionAt(target);
    if (region === undefined) return undefined;
    const of = overview!.regions.find((one) => one.region === region);
    return [fullNameOf(region), of === undefined ? 'nothing counted' : `${decimal(of.total)}, ${percent(Number(of.total), Number(overview!.totals.watchTime))}`, of === undefined ? '' : count(of.rows, 'user')];
  });

  void loadWorld().then((loaded) => {
    world = loaded;
    fill();
  }, () => element.replaceChildren(h('p', {}, 'The map could not be loaded; the list has all regions.')));
  return {
    element,
    show(state) {
      ({ overview, region: picked } = state);
      if (isNewOverview(overview)) fill();
      mark();
    },
  };
}

function draw(width: number, { shapes, points }: World, regions: Regions, from: readonly number[]): Element {
  const height = Math.round(width * HEIGHT_OF_WIDTH);
  const dots = [...points].filter(([region]) => regions.has(region)).map(([region, place]) => ({ region, place }));
  const shade = (region: string | undefined): string => {
    const of = region === undefined ? undefined : regions.get(region);
    return of === undefined ? 'var(--shade-0)' : `var(--shade-${shadeOf(Number(of.total), from)})`;
  };
  const extent: GeometryCollection = { type: 'GeometryCollection', geometries: [...shapes.map(({ geometry }) => geometry), { type: 'MultiPoint', coordinates: [...points.values()].map((place) => [...place]) }] };
  const drawing = drawn({
    width, height, margin: 2,
    projection: { type: 'equal-earth', rotate: [-11, 0], domain: extent, inset: 4 },
    marks: [
      geo(shapes, { fill: ({ id }: World['shapes'][0]) => shade(id as string | undefined), stroke: 'var(--page)', strokeWidth: 0.5, title: 'id' }),
      dot(dots, { x: ({ place }: (typeof dots)[0]) => place[0], y: ({ place }: (typeof dots)[0]) => place[1], r: width < 500 ? 2.5 : 3.5, fill: ({ region }: (typeof dots)[0]) => shade(region), stroke: 'var(--page)', strokeWidth: 1, title: 'region', sort: null }),
    ],
  });
  // What a mark is a region of, it says by a title: Plot leaves out marks that are out of sight.
  for (const title of drawing.querySelectorAll('title')) {
    const mark = title.parentNode as SVGElement;
    const region = title.textContent;
    mark.dataset['region'] = region;
    mark.classList.toggle('has', regions.has(region));
    title.remove();
  }
  return drawing;
}

function legend(from: readonly number[]): HTMLElement {
  const steps = from.map((bound, at) => [at === 0 ? `${compact(bound)} and more` : `${compact(bound)} to ${compact(from[at - 1]!)}`, shadeOf(bound, from)] as const);
  const below = [from.length === 0 ? '0 or less' : `under ${compact(from.at(-1)!)}`, shadeOf(-1, from)] as const;
  const items = [...steps, below].reverse().concat([['no data', 0]]).map(([text, shade]) => h('li', { class: `shade-${shade}` }, text));
  return h('ul', { class: 'legend', 'aria-label': 'Shades by watch time, in powers of ten' }, ...items);
}

function messageOf({ regions, totals }: Overview): string {
  const first = regions[0]!;
  return `${fullNameOf(first.region)} has the most, ${decimal(first.total)} of ${decimal(totals.watchTime)} (${percent(Number(first.total), Number(totals.watchTime))}).`;
}

/** What the map leaves out. */
function besideText(beside: Overview['regions'], { totals }: Overview): string {
  const named = beside.slice(0, MOST_NAMED).map(({ region, total }) => `${nameOf(region)} (${percent(Number(total), Number(totals.watchTime))})`);
  const others = beside.length - named.length;
  return `Not on the map: ${named.join(', ')}${others > 0 ? ` and ${number(others)} more` : ''}. The list has them.`;
}
