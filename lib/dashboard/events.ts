/** Server-sent events: which snapshot is the last one, at once and whenever there is another. The page loads anew by them. */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Announcement } from './api.ts';
import { Refusal } from './problems.ts';
import type { Env } from './security.ts';
import type { Snapshots } from './snapshots.ts';

/** Browsers that listen at a time. */
const MOST_LISTENERS = 50;
/** So that whatever is between keeps the connection, and one that is dead is found out. */
const BEAT_MILLISECONDS = 15_000;

export class Events {
  readonly #snapshots: Snapshots;
  readonly #open = new Set<() => void>();

  constructor(snapshots: Snapshots) {
    this.#snapshots = snapshots;
  }

  /** Answers with a stream that ends when the browser goes, or the dashboard ends. */
  send(c: Context<Env>): Response {
    if (this.#open.size >= MOST_LISTENERS) throw new Refusal(429, 'Too many pages are open.', { hint: 'Close some of them.' });
    const { signal } = c.req.raw;
    return streamSSE(c, async (stream) => {
      const tell = (snapshot: string): void => {
        void stream.writeSSE({ event: 'snapshot', data: JSON.stringify({ snapshot } satisfies Announcement) });
      };
      const silence = this.#snapshots.listen(({ id }) => tell(id));
      const beat = setInterval(() => void stream.write(': \n\n'), BEAT_MILLISECONDS);
      let end: () => void = () => undefined;
      const ended = new Promise<void>((resolve) => (end = resolve));
      this.#open.add(end);
      stream.onAbort(end);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      tell(this.#snapshots.current.id);
      await ended;
      clearInterval(beat);
      silence();
      this.#open.delete(end);
    });
  }

  /** Ends all streams. */
  close(): void {
    for (const end of this.#open) end();
  }
}
