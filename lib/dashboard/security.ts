/**
 * Who is answered, before anything is looked at:
 *
 *   Host                 one of the server's names, else 421: no other name leads here (hosts.ts)
 *   method               GET and POST, of pages HEAD, else 405; POST only with JSON, which no form of another page can send (415)
 *   Origin               its own, where there is one, else 403
 *   Sec-Fetch-Site       same-origin or none, where there is one, for all but `/`, which other pages may link to; else 403
 *   token                where there is one: by `?token=` of `/`, which gives a cookie and leads to the same view without it;
 *                        by the cookie; or by `Authorization: Bearer`; else 401
 *
 * The cookie is a random one of this server's life, not the token, is not seen by scripts and not sent from other pages. Every answer has
 * headers that let a browser run the page's own script and nothing else.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { secureHeaders } from 'hono/secure-headers';
import { Refusal } from './problems.ts';

export interface Env {
  Bindings: HttpBindings;
}

export interface Guard {
  /** Host headers that are its own; undefined: all are. */
  readonly hosts: ReadonlySet<string> | undefined;
  readonly token: string | undefined;
  /** Of the address, so that dashboards of one machine have cookies of their own. */
  readonly port: number;
}

/** A policy in which nothing is allowed but what the page has. */
export const headers: MiddlewareHandler<Env> = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], connectSrc: ["'self'"], imgSrc: ["'self'", 'data:'],
    baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"],
  },
  strictTransportSecurity: false,
  xFrameOptions: 'DENY',
});

export function guard({ hosts, token, port }: Guard): MiddlewareHandler<Env> {
  const cookie = `etl-stream-${port}`;
  const session = randomBytes(32).toString('base64url');
  return async (c, next) => {
    const { method, path } = c.req;
    checkHost(c, hosts);
    if (!(method === 'GET' || method === 'POST' || (method === 'HEAD' && !path.startsWith('/api/')))) throw new Refusal(405, 'The dashboard answers GET and POST.');
    if (path !== '/') {
      const site = c.req.header('sec-fetch-site');
      if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new Refusal(403, 'The request comes from another page.');
    }
    if (method === 'POST' && !/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) throw new Refusal(415, 'The request must be JSON.');
    if (token !== undefined) {
      const said = path === '/' ? c.req.query('token') : undefined;
      if (said !== undefined && isSame(said, token)) {
        setCookie(c, cookie, session, { httpOnly: true, sameSite: 'Strict', path: '/' });
        return c.redirect(withoutToken(c.req.url), 303);
      }
      const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
      const isKnown = isSame(getCookie(c, cookie) ?? '', session) || (bearer !== undefined && isSame(bearer, token));
      if (!isKnown) throw new Refusal(401, 'The dashboard needs its token.', { hint: 'Open the address that etl-stream dashboard printed.' });
    }
    await next();
  };
}

/** The same view. */
function withoutToken(address: string): string {
  const { searchParams } = new URL(address);
  searchParams.delete('token');
  return searchParams.size === 0 ? '/' : `/?${searchParams}`;
}

function checkHost(c: Context<Env>, hosts: Guard['hosts']): void {
  const host = c.env.incoming.headers.host?.toLowerCase();
  if (host === undefined || (hosts && !hosts.has(host))) throw new Refusal(421, 'This is not a name of the dashboard.', { hint: 'Open the address that etl-stream dashboard printed.' });
  const origin = c.req.header('origin');
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) throw new Refusal(403, 'The request comes from another page.');
}

/** In a time that says nothing of where they differ. */
function isSame(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest()) as [Buffer, Buffer];
  return timingSafeEqual(left, right);
}
