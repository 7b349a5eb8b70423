/** Shapes and points of the world's countries, as scripts/build-dashboard.mjs has put them beside the page. */
import { feature } from 'topojson-client';
import type { Feature, FeatureCollection, Geometry } from 'geojson';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { ask } from './load.ts';

export interface World {
  /** Their ids are alpha-2 codes; some are no region. */
  readonly shapes: readonly Feature<Geometry>[];
  /** Of countries that are too small for a shape. */
  readonly points: ReadonlyMap<string, readonly [longitude: number, latitude: number]>;
}

export async function loadWorld(): Promise<World> {
  const { href } = document.getElementById('world') as HTMLLinkElement;
  const { topology, points } = await ask<{ topology: Topology<{ countries: GeometryCollection }>; points: Record<string, [number, number]> }>(href);
  return { shapes: (feature(topology, topology.objects.countries) as FeatureCollection<Geometry>).features, points: new Map(Object.entries(points)) };
}
