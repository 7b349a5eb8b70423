/**
 * Where the dashboard listens, and by which names it answers. A page of the Internet can send a browser's requests to this machine by a
 * name of its own that leads here (DNS rebinding): a request whose Host header is none of the server's names is refused.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { EtlError, messageOf } from '../core/errors.ts';

/** Addresses that are all of a machine's. */
const ANY = new Set(['0.0.0.0', '::']);

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export interface Place {
  /** Address to listen at. */
  readonly address: string;
  readonly isLoopback: boolean;
  /** At any name: only with a token. */
  readonly isAny: boolean;
}

/** Finds the address of a host. Throws ETL_USAGE when there is none. */
export async function placeOf(host: string): Promise<Place> {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const address = isIP(bare) ? bare : await lookup(bare).then((found) => found.address, (cause: unknown) => {
    throw new EtlError('ETL_USAGE', `--host ${JSON.stringify(host)} has no address: ${messageOf(cause)}.`, { cause });
  });
  return { address, isLoopback: loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'), isAny: ANY.has(address) };
}

/** Host headers that are the server's, in small letters; undefined: all are. */
export function hostsOf(host: string, { address, isLoopback, isAny }: Place, port: number): ReadonlySet<string> | undefined {
  if (isAny) return undefined;
  const names = [host.toLowerCase(), address, ...(isLoopback ? ['localhost', '127.0.0.1', '::1'] : [])].map(bracketed);
  return new Set(names.flatMap((name) => [`${name}:${port}`, ...(port === 80 ? [name] : [])]));
}

/** As it stands in an address: `[::1]`. */
export function bracketed(name: string): string {
  return isIP(name) === 6 ? `[${name}]` : name;
}
