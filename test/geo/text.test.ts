import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { writeMmdb } from './mmdb-writer.ts';
import { openLookup, rules, sideNames } from './sides.ts';

/** In this database every address is of region OK: what is ZZ is no address. */
const everything = writeMmdb({
  recordSize: 24, ipVersion: 6, networks: [['::/1', { country_code: 'OK' }], ['8000::/1', { country_code: 'OK' }]],
});

const valid = [
  '0.0.0.0', '255.255.255.255', '1.2.3.4', '10.20.30.40', '192.168.100.200', '::', '::1', '1::', '1::8', '1:2:3:4:5:6:7:8', '::2:3:4:5:6:7:8',
  '1::3:4:5:6:7:8', '1:2:3:4:5:6:7::', '1:2:3:4:5:6::8', '::1.2.3.4', '::ffff:255.255.255.255', '1:2:3:4:5:6:1.2.3.4',
  '1:2:3:4:5::1.2.3.4', '1:2::5:1.2.3.4', 'ABCD:EF01:2345:6789:abcd:ef01:255.255.255.255', 'fe80::1%eth0', 'fe80::1%1', '::%a.b:c-d',
  '1:2:3:4:5:6:1.2.3.4%zone', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];
const invalid = [
  '', ' ', ':', ':::', '1', '1.2.3', '1.2.3.4.5', '1.2.3.', '.1.2.3', '1..2.3', '01.2.3.4', '1.2.3.04', '1.2.3.256', '1.2.3.999', '1.2.3.4 5',
  '1.2.3.-4', '1.2.3.4%eth0', '1.2.3.a', '1.2.3.4\n', '1.2.3.4\u00a0', '1.2.3.1000', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::',
  '::1:2:3:4:5:6:7:8', '1::2::3', '1:::2', ':1::2', '1::2:', '1:', ':1', '12345::', 'g::', '::%', 'fe80::1%', 'fe80::1%eth 0', 'fe80::1%eth%0',
  '::1.2.3.4:5', '1.2.3.4::', '::1.2.3', '::01.2.3.4', '1:2:3:4:5:6:7:1.2.3.4', '1:2:3:4:5:6::1.2.3.4', '1::2.3::4', '%eth0', 'null', '-', '１.2.3.4',
  '1.2.3.4/24', '[::1]', '0x1.2.3.4', '1:2:3:4:5:6:7:8%'.padEnd(200, ' x'), ':'.repeat(300), '1'.repeat(300), '.'.repeat(300),
];
/** The bytes that mean something, and their neighbours. */
const alphabet = '0123456789abcfgABFG.:::%-/;@`\0 \t\u00ff';

function mutate(text: string, next: () => number): string {
  const at = Math.floor(next() * (text.length + 1));
  const letter = alphabet[Math.floor(next() * alphabet.length)]!;
  switch (Math.floor(next() * 5)) {
    case 0: return text.slice(0, at) + letter + text.slice(at);
    case 1: return text.slice(0, at) + text.slice(at + 1);
    case 2: return text.slice(0, at) + letter + text.slice(at + 1);
    case 3: return text.slice(0, at) + text.slice(Math.floor(next() * (text.length + 1)));
    default: return text + valid[Math.floor(next() * valid.length)]!.slice(at);
  }
}

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
