import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { writeMmdb } from './mmdb-writer.ts';
import { openLookup, rules, sideNames } from './sides.ts';
import { invalid, mutate, valid } from './texts.ts';

/** In this database every address is of region OK: what is ZZ is no address. */
const everything = writeMmdb({
  recordSize: 24, ipVersion: 6, networks: [['::/1', { country_code: 'OK' }], ['8000::/1', { country_code: 'OK' }]],
});

for (const name of sideNames) {
  test(`${name}: a text is an address exactly when maxmind's rule says so`, async (t) => {
    const file = join(temporaryFolder(t), 'everything.mmdb');
    writeFileSync(file, everything);
    const { regions } = await openLookup(name, { file });
    assert.deepEqual(valid.filter((text) => !rules.validate(text)), []);
    assert.deepEqual(regions(valid), valid.map(() => 'OK'));
    assert.deepEqual(invalid.filter((text) => rules.validate(text)), []);
    assert.deepEqual(regions(invalid), invalid.map(() => 'ZZ'));

    const seed = 51;
    const next = random(seed);
    const texts: string[] = [];
    for (let i = 0; i < 60_000; i++) {
      let text = valid[i % valid.length]!;
      for (let times = Math.floor(next() * 4); times >= 0; times--) text = mutate(text, next);
      texts.push(text);
    }
    const wanted = texts.map((text) => (rules.validate(text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '')) ? 'OK' : 'ZZ'));
    const found = regions(texts);
    const wrong = texts.findIndex((_, i) => found[i] !== wanted[i]);
    assert.equal(wrong, -1, `seed ${seed}: ${JSON.stringify(texts[wrong])} is ${found[wrong]}`);
    const share = wanted.filter((region) => region === 'OK').length / texts.length;
    assert.ok(share > 0.1 && share < 0.9, `${share} of the texts are addresses`);
  });

  test(`${name}: blanks around an address do not count, other white space does`, async (t) => {
    const file = join(temporaryFolder(t), 'everything.mmdb');
    writeFileSync(file, everything);
    const { regions } = await openLookup(name, { file });
    assert.deepEqual(regions([' 1.2.3.4', '1.2.3.4\t', ' \t ::1 \t', '\t']), ['OK', 'OK', 'OK', 'ZZ']);
    assert.deepEqual(regions(['\r1.2.3.4', '1.2.3.4\n', '\v::1', '1.2.3.4\0']), ['ZZ', 'ZZ', 'ZZ', 'ZZ']);
  });
}
