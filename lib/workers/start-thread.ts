/** Starts a thread on a module, wherever ours are: compiled, or as sources in a checkout. */
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Threads of Node 20 do not inherit the loader of TypeScript that tests run with: from sources, the module is imported
 * once that is registered. While the loader is at work, in a thread of its own, nothing else keeps this one alive.
 */
export function startThread(entry: URL, options: WorkerOptions): Worker {
  const isSource = (url: string): boolean => url.endsWith('.ts');
  // What was built needs no loader, which this process may have for itself; with it, a thread takes 80 ms more to begin.
  if (!isSource(entry.pathname)) return new Worker(entry, isSource(import.meta.url) ? { ...options, execArgv: [] } : options);
  const loader = import.meta.resolve('tsx/esm/api');
  const load = `register(); await import(${JSON.stringify(entry.href)});`;
  const code = `import { register } from ${JSON.stringify(loader)}; const alive = setInterval(() => {}, 1e9); ${load} clearInterval(alive);`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), options);
}
