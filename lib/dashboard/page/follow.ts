/**
 * Keeps the store up to date: the overview at first and after every new result, the selection of the region in the address, and the events by which the server
 * tells that there is a new result, or that it is there at all.
 */
import type { Announcement, Overview, Selection } from '../api.ts';
import { Asker, Failure, Overtaken, ask, onOutdated } from './load.ts';
import type { Masthead } from './masthead.ts';
import { problemOf } from './panel.ts';
import type { State, Store } from './store.ts';

const FIRST_AGAIN_MS = 1000;
const MOST_AGAIN_MS = 30_000;

export function follow(store: Store, head: Masthead): void {
  let isLoading = false;
  let announced: string | undefined;
  const isBehind = (): boolean => announced !== undefined && announced !== store.state?.overview.snapshot;
  const load = async (): Promise<void> => {
    if (isLoading) return;
    isLoading = true;
    try {
      do {
        announced = undefined;
        const before = store.state?.overview;
        const overview = await ask<Overview>('api/overview');
        if (overview.snapshot === before?.snapshot) continue;
        store.know({ overview, selection: { status: 'loading' } });
        if (before !== undefined) head.arrived(before, overview);
      } while (isBehind());
    } catch (error) {
      // That a connection is lost is told by its mark.
      const isLost = error instanceof Failure && error.status === 0 && store.state !== undefined;
      if (!(error instanceof Overtaken) && !isLost) head.failed(problemOf(error), () => void load());
    } finally {
      isLoading = false;
    }
  };
  onOutdated(() => void load());
  store.listen(selectionOf(store));
  void load();
  events(head, (snapshot) => {
    announced = snapshot;
    if (isBehind()) void load();
  });
}

/** Sees to it that the selection is that of the region. */
function selectionOf(store: Store): (state: State) => void {
  const asker = new Asker(store);
  let asked = '';
  const load = async (region: string): Promise<void> => {
    store.know({ selection: { status: 'loading' } });
    try {
      store.know({ selection: { status: 'ready', value: await asker.ask<Selection>('api/selection', { region }) } });
    } catch (error) {
      if (!(error instanceof Overtaken)) store.know({ selection: { status: 'failed', problem: problemOf(error), again: () => void load(region) } });
    }
  };
  return ({ overview, region }) => {
    const wanted = JSON.stringify([overview.snapshot, region]);
    if (wanted === asked) return;
    asked = wanted;
    asker.cancel();
    if (region !== null) void load(region);
    else store.know({ selection: { status: 'ready', value: overview.selection } });
  };
}

/** A browser tries again by itself, but not where it was refused. */
function events(head: Masthead, onSnapshot: (snapshot: string) => void, again = FIRST_AGAIN_MS): void {
  const source = new EventSource('api/events');
  let next = Math.min(2 * again, MOST_AGAIN_MS);
  source.addEventListener('open', () => {
    next = FIRST_AGAIN_MS;
    head.connection('live');
  });
  source.addEventListener('snapshot', (event) => onSnapshot((JSON.parse((event as MessageEvent<string>).data) as Announcement).snapshot));
  source.addEventListener('error', () => {
    head.connection('lost');
    if (source.readyState === EventSource.CLOSED) setTimeout(() => events(head, onSnapshot, next), again);
  });
}
