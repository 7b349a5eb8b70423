// The world for the dashboard's map, by the regions that a dataset has: Natural Earth's countries at 1:110 million, as TopoJSON whose shapes have alpha-2
// codes as ids, and a point for each country that is too small for that scale.
import { readFileSync } from 'node:fs';
import { feature } from 'topojson-client';

const ATLAS = 'node_modules/world-atlas';
const read = (scale) => JSON.parse(readFileSync(`${ATLAS}/countries-${scale}.json`, 'utf8'));
/** What has a code of its own but is a part of another country's shape, or is in no atlas: longitude and latitude. */
const POINTS = {
  GP: [-61.5, 16.2], MQ: [-61, 14.7], RE: [55.5, -21.1], YT: [45.2, -12.8], BQ: [-68.3, 12.2], CX: [105.6, -10.5], CC: [96.9, -12.2], TK: [-171.8, -9.2], BV: [3.4, -54.4],
};
/** Polygons of a country's shape that have a code of their own: those that are inside these bounds. */
const PARTS = [
  { code: 'GF', of: 'FR', west: -55, south: 2, east: -51, north: 6 },
  { code: 'SJ', of: 'NO', west: 10, south: 74, east: 35, north: 82 },
];
/** Nobody lives there, and it takes a quarter of a map. */
const LEFT_OUT = new Set(['AQ']);

export const ATLAS_FOLDER = ATLAS;

/** The region of a numeric code of ISO 3166-1; Kosovo has none. */
function regionOf({ id, properties: { name } }) {
  if (id !== undefined) return Intl.getCanonicalLocales(`und-${id}`)[0].slice('und-'.length);
  return name === 'Kosovo' ? 'XK' : undefined;
}

/** { topology, points: { SG: [longitude, latitude] } } */
export function world() {
  const atlas = read('110m');
  const { countries } = atlas.objects;
  const shapes = [];
  for (const { type, arcs, ...of } of countries.geometries) {
    const id = regionOf(of);
    if (LEFT_OUT.has(id)) continue;
    const polygons = type === 'Polygon' ? [arcs] : arcs;
    const codes = polygons.map((polygon) => PARTS.find((part) => part.of === id && isInside(box(atlas, polygon), part))?.code ?? id);
    for (const code of new Set(codes)) {
      shapes.push({ type: 'MultiPolygon', arcs: polygons.filter((_, at) => codes[at] === code), ...(code !== undefined && { id: code }) });
    }
  }
  const points = { ...POINTS };
  const known = new Set(shapes.map(({ id }) => id));
  for (const scale of ['50m', '10m']) {
    const finer = read(scale);
    for (const country of finer.objects.countries.geometries) {
      const region = regionOf(country);
      if (region === undefined || known.has(region) || LEFT_OUT.has(region)) continue;
      known.add(region);
      points[region] = middle(feature(finer, country).geometry);
    }
  }
  return { topology: { ...atlas, objects: { countries: { type: 'GeometryCollection', geometries: shapes } } }, points };
}

function box(atlas, polygon) {
  const [ring] = feature(atlas, { type: 'Polygon', arcs: polygon }).geometry.coordinates;
  const [x, y] = [ring.map(([longitude]) => longitude), ring.map(([, latitude]) => latitude)];
  return { west: Math.min(...x), south: Math.min(...y), east: Math.max(...x), north: Math.max(...y) };
}

function isInside(inner, outer) {
  return inner.west >= outer.west && inner.south >= outer.south && inner.east <= outer.east && inner.north <= outer.north;
}

/** Of the polygon with the most corners. */
function middle({ type, coordinates }) {
  const rings = (type === 'Polygon' ? [coordinates] : coordinates).map(([outer]) => outer);
  const ring = rings.reduce((most, one) => (one.length > most.length ? one : most));
  const of = (axis) => Math.round((10 * ring.reduce((sum, corner) => sum + corner[axis], 0)) / ring.length) / 10;
  return [of(0), of(1)];
}
