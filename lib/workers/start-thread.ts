/** Starts a thread on a module, wherever ours are: compiled, or as sources in a checkout. */
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Threads of Node 20 do not inherit the loader of TypeScript that tests run with: from sources, the module is imported
 * once that is registered.
 */
export function startThread(entry: URL, options: WorkerOptions): Worker {
  if (!entry.pathname.endsWith('.ts')) return new Worker(entry, options);
  const loader = import.meta.resolve('tsx/esm/api');
  const code = `import { register } from ${JSON.stringify(loader)}; register(); await import(${JSON.stringify(entry.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), options);
}
