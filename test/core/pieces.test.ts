import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { forEachPiece, mapped, PieceStage, type Pieces } from '../../lib/core/pieces.ts';
import { piecesOf } from '../pieces.ts';

interface Whole {
  readonly name: string;
  readonly pieces: readonly (string | Error)[];
  /** Which calls give promises. */
  readonly late?: boolean;
}

class Letters extends PieceStage<Whole, { readonly text: string }> {
  readonly log: string[] = [];
  #whole!: Whole;
  #next = 0;

  protected override begin(whole: Whole): void | Promise<void> {
    this.log.push(`begin ${whole.name}`);
    this.#whole = whole;
    this.#next = 0;
    return whole.late ? Promise.resolve() : undefined;
  }

  protected override piece(): { text: string } | undefined | Promise<{ text: string } | undefined> {
    const piece = this.#whole.pieces[this.#next++];
    if (piece instanceof Error) {
      if (this.#whole.late) return Promise.reject(piece);
      throw piece;
    }
    const given = piece === undefined ? undefined : { text: piece };
    return this.#whole.late ? Promise.resolve(given) : given;
  }

  protected override leave(whole: Whole): void {
    this.log.push(`leave ${whole.name}`);
  }

  protected override close(ended: boolean): void {
    this.log.push(ended ? 'close at the end' : 'close early');
  }
}

const wholes = (late: boolean): Whole[] => [
  { name: 'a', pieces: ['1', '2', '3'], late }, { name: 'b', pieces: [], late: !late }, { name: 'c', pieces: ['4'], late },
];

for (const late of [false, true]) {
  test(`all pieces in order, a whole left before the next begins, ${late ? 'with promises' : 'at once'}`, async () => {
    const stage = new Letters();
    const taken: string[] = [];
    await pipeline(Readable.from(wholes(late)), stage, new Writable({
      objectMode: true,
      write(pieces: Pieces<{ text: string }>, _encoding, done) {
        const shown = mapped(pieces, ({ text }) => taken.push(`see ${text}`));
        forEachPiece(shown, ({ text }) => {
          taken.push(text);
          return late ? Promise.resolve() : undefined;
        }).then(() => done(), done);
      },
    }));
    assert.deepEqual(taken, ['see 1', '1', 'see 2', '2', 'see 3', '3', 'see 4', '4']);
    assert.deepEqual(stage.log, ['begin a', 'leave a', 'begin b', 'leave b', 'begin c', 'leave c', 'close at the end']);
  });

  test(`a piece that cannot be made fails whoever asks, and the stage, ${late ? 'later' : 'at once'}`, async () => {
    for (const before of [[], ['1', '2']]) {
      const failure = new Error('no');
      const stage = new Letters();
      const taken: string[] = [];
      await assert.rejects(pipeline(Readable.from([{ name: 'a', pieces: [...before, failure], late }]), stage, async (source: AsyncIterable<Pieces<{ text: string }>>) => {
        for await (const { text } of piecesOf(source)) taken.push(text);
      }), failure);
      assert.deepEqual(taken, before);
      assert.deepEqual(stage.log, ['begin a', 'close early', 'leave a']);
    }
  });
}

test('asked too often, or after the stage was stopped, it says so', async () => {
  const stage = new Letters();
  stage.write({ name: 'a', pieces: ['1'] });
  await new Promise((resolve) => stage.once('readable', resolve));
  const pieces = stage.read() as Pieces<{ text: string }>;
  assert.deepEqual(pieces.next(), { text: '1' });
  assert.equal(pieces.next(), undefined);
  assert.throws(() => pieces.next(), { code: 'ETL_INTERNAL' });
  stage.write({ name: 'b', pieces: ['1', '2'] });
  await new Promise((resolve) => stage.once('readable', resolve));
  const more = stage.read() as Pieces<{ text: string }>;
  stage.destroy();
  assert.throws(() => more.next(), { code: 'ETL_ABORTED' });
  await new Promise((resolve) => stage.once('close', resolve));
  assert.deepEqual(stage.log.slice(-2), ['close early', 'leave b']);
});

test('what the taker throws ends the stage', async () => {
  const stage = new Letters();
  const failure = new Error('no room');
  await assert.rejects(pipeline(Readable.from(wholes(false)), stage, new Writable({
    objectMode: true,
    write(pieces: Pieces<{ text: string }>, _encoding, done) {
      forEachPiece(pieces, () => { throw failure; }).then(() => done(), done);
    },
  })), failure);
  assert.deepEqual(stage.log, ['begin a', 'close early', 'leave a']);
});
