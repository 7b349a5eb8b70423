/** Users that are not UTF-8 are rejected, exactly those that a fatal TextDecoder refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { random } from '../random.ts';
import { implementations, runStage } from './blocks.ts';

/** First and last of every range of table 3-7 of the Unicode standard, and their neighbours outside of it. */
const BORDERS = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff];

function wellFormed(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

for (const { name, create } of implementations) {
  test(`users are UTF-8 or rejected (${name})`, async () => {
    const next = random(12);
    const pick = (): number => BORDERS[Math.floor(next() * BORDERS.length)]!;
    const users: number[][] = [];
    for (const a of BORDERS) for (const b of BORDERS) users.push([a, b], [a, b, 0x80], [a, b, 0x80, 0xbf]);
    for (let count = 0; count < 4000; count++) {
      const user = Array.from({ length: 1 + Math.floor(next() * 24) }, () => (next() < 0.97 ? 0x61 : pick()));
      if (next() < 0.5) user.push(...Buffer.from(['é', '€', '😀', '\u07ff', '\uffff', '\u{10ffff}'][Math.floor(next() * 6)]!));
      users.push(user);
    }
    const rows = users.map((user) => Buffer.concat([Buffer.from('1,'), Uint8Array.from(user), Buffer.from(',8.8.8.8,1\n')]));
    const bytes = Buffer.concat([Buffer.from('i,u,p,v\n'), ...rows]);
    const { rows: parsed } = await runStage(create, [{ name: 'a.csv', bytes }], 1 << 16);
    assert.equal(parsed.length, users.length);
    let refused = 0;
    parsed.forEach(({ status }, row) => {
      const expected = wellFormed(Uint8Array.from(users[row]!)) ? 'none' : 'invalid_utf8';
      if (expected !== 'none') refused++;
      assert.equal(status, expected, Buffer.from(users[row]!).toString('hex'));
    });
    assert.ok(refused > 1000 && refused < users.length - 1000);
  });
}
