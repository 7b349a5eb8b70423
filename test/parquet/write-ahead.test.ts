import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteAhead, type Place } from '../../lib/parquet/write-ahead.ts';
import { random } from '../random.ts';

test('places never overlap, everyone gets one, and it stays as it is until its release', async () => {
  let waited = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const next = random(seed);
    const size = 100 + Math.floor(next() * 900);
    const ahead = new WriteAhead(size);
    const held: { place: Place; mark: number }[] = [];
    const release = (): void => {
      const [{ place, mark }] = held.splice(Math.floor(next() ** 2 * held.length), 1) as [(typeof held)[0]];
      assert.ok(place.bytes.every((byte) => byte === mark), `seed ${seed}`);
      place.release();
    };
    for (let i = 0; i < 400; i++) {
      const length = next() < 0.02 ? size + 10 : 1 + Math.floor(next() ** 3 * size);
      let done = false;
      const taking = ahead.take(length).then((place) => {
        done = true;
        return place;
      });
      await new Promise(setImmediate);
      while (!done) {
        waited++;
        assert.ok(held.length > 0, `seed ${seed}: nothing is held, and there is no room`);
        release();
        await new Promise(setImmediate);
      }
      const place = await taking;
      assert.equal(place.bytes.length, length);
      place.bytes.fill(i % 256);
      held.push({ place, mark: i % 256 });
      if (next() < 0.4) release();
    }
    while (held.length > 0) release();
    ahead.free();
    ahead.free();
    const lent = new Uint8Array(size);
    ahead.lend(lent.subarray(1)); // too small to be of use
    ahead.lend(lent);
    const inLent = await ahead.take(1);
    assert.equal(inLent.bytes.buffer, lent.buffer);
    inLent.release();
    ahead.free();
    assert.equal(lent.length, size, 'what is lent is not freed');
    const place = await ahead.take(3);
    assert.equal(place.bytes.length, 3, 'it can be used again');
  }
  assert.ok(waited > 1000, `${waited} waits`);
});

test('what is given back is used before it has to wait, at both ends', async () => {
  const ahead = new WriteAhead(10);
  const first = await ahead.take(4);
  const second = await ahead.take(4);
  assert.equal(second.bytes.byteOffset, 4);
  let third: Place | undefined;
  const taking = ahead.take(3).then((place) => (third = place));
  await new Promise(setImmediate);
  assert.equal(third, undefined);
  first.release();
  first.release();
  await taking;
  assert.equal(third!.bytes.byteOffset, 0);
  second.release();
  assert.equal((await ahead.take(7)).bytes.byteOffset, 3);
});
