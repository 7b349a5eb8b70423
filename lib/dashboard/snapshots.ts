/**
 * The dataset as its publications left it: the last one, and the one before, which is answered from as long as the next publication leaves
 * its files. Whether there is a new one is looked at once a second. While there is none at all the last one stays.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { datasetAt, type DatasetPlace } from '../pipeline/dataset-place.ts';
import { readPublished, type PublishedDataset } from '../pipeline/published.ts';
import type { Rejects, RowPage, Selection } from './api.ts';
import { Answers } from './answers.ts';
import { Refusal } from './problems.ts';

const LOOK_MILLISECONDS = 1000;
const KEPT = 2;

/** Regions whose answers are kept. */
const MOST_SELECTIONS = 500;
const MOST_TOPS = 40;

export class Snapshot {
  /** Tells it from all others, and nothing of where it is. */
  readonly id: string;
  /** Of the dataset's folder. */
  readonly name: string;
  readonly dataset: PublishedDataset;
  readonly answers = {
    selections: new Answers<Selection>(MOST_SELECTIONS),
    tops: new Answers<RowPage['rows']>(MOST_TOPS),
    rejects: new Answers<Rejects>(MOST_TOPS),
  };

  constructor(dataset: PublishedDataset) {
    this.dataset = dataset;
    this.id = idOf(dataset.place);
    this.name = basename(dataset.place.output);
  }

  /** Whether its files are there: a later publication removes them, or puts others in their place. */
  async isThere(): Promise<boolean> {
    const { folder, made } = this.dataset.place;
    return datasetAt(folder).then((place) => place.folder === folder && place.made === made, () => false);
  }
}

export class Snapshots {
  readonly #output: string;
  /** The newest first. */
  #kept: readonly Snapshot[];
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> | undefined;

  private constructor(output: string, first: Snapshot) {
    this.#output = output;
    this.#kept = [first];
  }

  /** Throws ETL_USAGE, ETL_INPUT_NOT_FOUND, ETL_INPUT_READ. */
  static async open(output: string): Promise<Snapshots> {
    return new Snapshots(output, new Snapshot(await readPublished(await datasetAt(output))));
  }

  get current(): Snapshot {
    return this.#kept[0]!;
  }

  /** The snapshot that a request names; none: the last. Throws a Refusal when it is gone. */
  find(id: string | undefined): Snapshot {
    const found = id === undefined ? this.current : this.#kept.find((snapshot) => snapshot.id === id);
    if (found) return found;
    throw gone();
  }

  /** What to tell of an error in answering from `snapshot`: it may have been that its files went meanwhile. */
  async reasonOf(error: unknown, snapshot: Snapshot): Promise<unknown> {
    if (await snapshot.isThere()) return error;
    await this.look();
    return this.current === snapshot ? new Refusal(404, 'The files of this result are there no more.', { code: 'ETL_INPUT_NOT_FOUND', hint: 'When a run publishes there again, the page shows what it has.' }) : gone();
  }

  /** Tells of every new one until the function that it gives is called. */
  listen(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks from now on by itself. */
  watch(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MILLISECONDS).unref();
  }

  /** Whether there is a new one. */
  look(): Promise<void> {
    this.#look ??= this.#lookOnce().catch(() => undefined).finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  async #lookOnce(): Promise<void> {
    const place = await datasetAt(this.#output);
    if (idOf(place) === this.current.id) return;
    const next = new Snapshot(await readPublished(place));
    // A plain folder may be replaced while it is read: then it is read again by the next look.
    if (idOf(await datasetAt(this.#output)) !== next.id) return;
    this.#kept = [next, ...this.#kept.filter(({ id }) => id !== next.id)].slice(0, KEPT);
    for (const listener of this.#listeners) listener(next);
  }
}

function gone(): Refusal {
  return new Refusal(410, 'The dataset was published again since.', { code: 'ETL_INPUT_NOT_FOUND', hint: 'Load the page again.' });
}

function idOf({ folder, made }: DatasetPlace): string {
  return createHash('sha256').update(`${folder}\0${made}`).digest('hex').slice(0, 16);
}
