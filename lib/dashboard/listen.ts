/** Begins to listen, and says in words why it cannot. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EtlError, messageOf } from '../core/errors.ts';

const REASONS: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) => `port ${port} of ${host} is taken`,
  EACCES: (host, port) => `port ${port} of ${host} needs rights that this user has not`,
  EADDRNOTAVAIL: (host) => `${host} is no address of this machine`,
};

/** Gives the port. `host`: as it was said. Throws ETL_USAGE. */
export async function listen(server: Server, { host, address, port }: { readonly host: string; readonly address: string; readonly port: number }): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, exclusive: true }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    const why = REASONS[(cause as NodeJS.ErrnoException).code ?? '']?.(host, port) ?? messageOf(cause);
    throw new EtlError('ETL_USAGE', `Cannot listen: ${why}.`, { cause, hint: 'Name another --port or --host; --port 0 is any that is free.' });
  }
  return (server.address() as AddressInfo).port;
}
