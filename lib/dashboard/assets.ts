/**
 * The page's files, as the build made them (scripts/build-dashboard.mjs): read once, and given by their names alone, of which there is a list.
 * An address never becomes a path. What has a hash in its name is kept by browsers for ever; the page itself is asked for each time.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Context } from 'hono';
import { Refusal } from './problems.ts';
import type { Env } from './security.ts';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', json: 'application/json', svg: 'image/svg+xml',
};
const NAME = /^[a-z]+(?:-[0-9a-zA-Z]+)?\.(html|js|css|json|svg)$/;
/** Beside the bundle that the build made; or, when the sources run, where it would put that. */
const FOLDERS = ['./dashboard/', '../../dist/lib/dashboard/'].map((path) => new URL(path, import.meta.url));
const UNBUILT = '<!doctype html><html lang="en"><meta charset="utf-8"><title>etl-stream</title><p>The page of the dashboard was not built.</p></html>';

interface Asset {
  readonly type: string;
  readonly isHashed: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Made when it is asked for first. */
  compressed?: Promise<Uint8Array<ArrayBuffer>>;
}

export type Assets = ReadonlyMap<string, Asset>;

/** By the paths of their addresses; `/` is the page. */
export function readAssets(folders: readonly URL[] = FOLDERS): Assets {
  const assets = new Map<string, Asset>([['/', assetOf('index.html', Buffer.from(UNBUILT))]]);
  const folder = folders.find((url) => existsSync(new URL('index.html', url)));
  for (const name of folder ? readdirSync(folder) : []) {
    if (NAME.test(name)) assets.set(name === 'index.html' ? '/' : `/${name}`, assetOf(name, readFileSync(new URL(name, folder))));
  }
  return assets;
}

function assetOf(name: string, bytes: Buffer): Asset {
  return { type: TYPES[NAME.exec(name)![1]!]!, isHashed: name.includes('-'), bytes: new Uint8Array(bytes) };
}

/** Answers with the asset of the request's path. Throws a Refusal when there is none. */
export async function sendAsset(c: Context<Env>, assets: Assets): Promise<Response> {
  const asset = assets.get(c.req.path);
  if (!asset) throw new Refusal(404, 'There is nothing at this address.');
  c.header('Content-Type', asset.type);
  c.header('Cache-Control', asset.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
  c.header('Vary', 'Accept-Encoding');
  if (!/\bgzip\b/.test(c.req.header('accept-encoding') ?? '')) return c.body(asset.bytes);
  c.header('Content-Encoding', 'gzip');
  asset.compressed ??= promisify(gzip)(asset.bytes).then((bytes) => new Uint8Array(bytes));
  return c.body(await asset.compressed);
}
