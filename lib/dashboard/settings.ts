/** What the dashboard is told, and what follows from it: who gets how much of its memory. */
import { EtlError } from '../core/errors.ts';

export interface DashboardOptions {
  /** The dataset: a folder that a run published. */
  readonly output: string;
  /** Name or address to listen at. Default: 127.0.0.1. Any that is not the machine's own loopback needs a `token`. */
  readonly host?: string | undefined;
  /** Default: 0, any that is free. */
  readonly port?: number | undefined;
  /** What a browser or a program has to say to be answered; at least 16 characters of `A-Z a-z 0-9 . _ ~ -`. */
  readonly token?: string | undefined;
  /** Most bytes that the server and its processes may have resident, together. Default: 512 MB. */
  readonly memory?: number | undefined;
  /** Milliseconds that a query may take. Default: 30 seconds. */
  readonly timeout?: number | undefined;
}

export interface Dashboard {
  /** To open in a browser: with the token, if there is one. */
  readonly url: string;
  /** Ends the server, all its requests and processes. Idempotent. */
  close(): Promise<void>;
}

/** Bytes resident, and threads. */
interface Limits {
  readonly memory: number;
  readonly threads: number;
}

export interface Settings {
  readonly output: string;
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
  /** What the process of the views may take, and that of the SQL box. */
  readonly views: Limits;
  readonly sql: Limits;
  /** Seconds that a query may take. */
  readonly seconds: number;
}

export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_DASHBOARD_MEMORY = 512e6;
export const DEFAULT_TIMEOUT = 30_000;
export const LEAST_TOKEN = 16;

/** What the server itself takes, with the answers that it keeps. */
const SERVER = 110e6;
/** Below this the processes, which take 95 MB each before they are asked anything, get nowhere. */
const LEAST = 400e6;
/** More is of no use to the views: a thread's share of a query is what a few row groups take. */
const MOST_VIEWS = 400e6;
/** Of what there is for both processes: the views read rejects by 32 MB at a time, and all else in less. */
const SHARE_OF_VIEWS = 0.42;
const LEAST_VIEWS = 150e6;
/** What a second thread needs for what it has of a query. */
const FOR_TWO_THREADS = 300e6;

/** Throws ETL_USAGE with what is wrong and what is accepted. */
export function settingsOf({ output, host = DEFAULT_HOST, port = 0, token, memory = DEFAULT_DASHBOARD_MEMORY, timeout = DEFAULT_TIMEOUT }: DashboardOptions): Settings {
  if (typeof output !== 'string' || output === '') throw usage('output must be the path of a folder');
  if (typeof host !== 'string' || host === '') throw usage('--host must be a name or an address');
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw usage(`--port must be a whole number from 0 to 65535, not ${String(port)}`);
  // It stands in an address, and in a header.
  if (token !== undefined && !(typeof token === 'string' && token.length >= LEAST_TOKEN && /^[\w.~-]+$/.test(token))) {
    throw usage(`--token must be at least ${LEAST_TOKEN} characters of A-Z, a-z, 0-9, ., _, ~ and -`);
  }
  if (!(Number.isSafeInteger(memory) && memory >= LEAST)) throw usage(`--memory must be at least ${LEAST / 1e6}MB, not ${Number(memory) / 1e6}MB`);
  if (!(Number.isSafeInteger(timeout) && timeout > 0)) throw usage(`--timeout must be a whole number of milliseconds, at least 1, not ${String(timeout)}`);
  const both = memory - SERVER;
  const views = Math.min(MOST_VIEWS, Math.max(LEAST_VIEWS, Math.floor(both * SHARE_OF_VIEWS)));
  const sql = both - views;
  return {
    output, host, port, token, seconds: timeout / 1000,
    // Two queries of the views are under way at a time, each with a thread of its own: as fast as two threads for each, in half the memory.
    views: { memory: views, threads: 1 },
    sql: { memory: sql, threads: sql < FOR_TWO_THREADS ? 1 : 2 },
  };
}

function usage(problem: string): EtlError {
  return new EtlError('ETL_USAGE', `${problem}.`);
}
