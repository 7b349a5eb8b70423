/** Guesses of --sniff: right for inputs of every dialect that it knows, loud or harmless else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultColumns } from '../../lib/core/options.ts';
import { describeDialect, sniffDialect, type SniffOptions } from '../../lib/parse/sniff.ts';
import { random } from '../random.ts';
import { picker } from './general.ts';

function guess(text: string, options: SniffOptions = {}): string {
  return describeDialect(sniffDialect(Buffer.from(text), { whole: true, ...options }));
}

const NAMES = ['log_id', 'user_id', 'timestamp', 'ip_address', 'watch_time(min)'];

/** A log as other programs write it. */
function logs(seed: number, { delimiter, quote, header, lineEnd }: { delimiter: string; quote: string; header: boolean; lineEnd: string }): string {
  const pick = picker(random(seed));
  const written = (text: string): string => {
    const quoted = quote !== '' && (text.includes(delimiter) || text.includes(quote) || pick([0, 0, 1]) === 1);
    return quoted ? quote + text.replaceAll(quote, quote + quote) + quote : text;
  };
  const rows = Array.from({ length: pick([2, 5, 40]) }, (_, row) => [
    `log-${seed}-${row}`, pick(['user_1', "O'Brien", 'Ann Lee', 'é', 'a"b', 'x;y', 'x,y']), `2026-01-0${pick([1, 2])}${pick(['T', ' '])}10:0${pick([1, 2])}:00`, pick(['10.0.0.1', '2001:db8::1']),
    pick(['5', '0.25', '12.5']),
  ]);
  const clean = rows.map((row) => row.map((text) => (quote === '' ? text.replaceAll(delimiter, '_').replaceAll('"', '') : text)));
  return [...(header ? [NAMES] : []), ...clean].map((row) => row.map(written).join(delimiter) + lineEnd).join('');
}

test('logs of every dialect, by the columns of a run and without', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const pick = picker(random(seed));
    const delimiter = pick([',', ';', '\t', '|']);
    const quote = pick(['"', '"', "'", '']);
    const header = pick([true, true, false]);
    const text = logs(seed, { delimiter, quote, header, lineEnd: pick(['\n', '\r\n', '\r']) });
    const told = `seed ${seed}: ${JSON.stringify(text)}`;
    for (const columns of [defaultColumns, undefined]) {
      const found = sniffDialect(Buffer.from(text), { whole: true, columns });
      assert.equal(found.delimiter, delimiter, told);
      assert.equal(found.header, header, told);
      if (quote !== '' && text.includes(`${delimiter}${quote}`) && text.split(quote).length > 8) assert.equal(found.quote, quote, told);
    }
  }
});

test('what was said is never guessed otherwise', () => {
  const text = 'a;b;c\n1;2;3\n4;5;6\n';
  assert.equal(guess(text), 'delimiter ;, quote ", header: yes');
  assert.equal(guess(text, { given: { delimiter: ',' } }), 'delimiter ,, quote ", header: yes');
  assert.equal(guess(text, { given: { quote: "'" } }), "delimiter ;, quote ', header: yes");
  assert.equal(guess(text, { given: { header: false } }), 'delimiter ;, quote ", header: no');
  assert.equal(guess('one\n\na;b\n1;2\n', { given: { skipLines: 2 } }), 'delimiter ;, quote ", header: yes');
  assert.equal(guess('# x;y;z\na,b\n1,2\n', { given: { comment: '#' } }), 'delimiter ,, quote ", header: yes');
});

test('the wanted columns are proof, whatever else is in the way', () => {
  const text = 'watch_time(min);log_id;user_id;ip_address;note, with, commas\n1;a;u;10.0.0.1;x,y,z\n2;b;v;10.0.0.2;x,y,z\n';
  assert.equal(guess(text, { columns: defaultColumns }), 'delimiter ;, quote ", header: yes');
  assert.equal(guess(`${NAMES.join('|')}\n`, { columns: defaultColumns }), 'delimiter |, quote ", header: yes');
});

test('no header only where the fields look like what they would be', () => {
  const first = 'a1,u1,2026-01-01T00:00:00Z,10.0.0.1,5\n';
  assert.equal(guess(first + first, { columns: defaultColumns }), 'delimiter ,, quote ", header: no');
  const swapped = 'a1,u1,5,10.0.0.1,2026-01-01T00:00:00Z\n';
  assert.equal(guess(swapped + swapped, { columns: defaultColumns }), 'delimiter ,, quote ", header: yes');
  const fewer = 'a1,u1,10.0.0.1,5\n';
  assert.equal(guess(fewer + fewer, { columns: defaultColumns }), 'delimiter ,, quote ", header: yes');
});

test('names by extension, one column, nothing at all, noise', () => {
  assert.equal(guess('', {}), 'delimiter ,, quote ", header: yes');
  assert.equal(guess('a\nb\nc\n'), 'delimiter ,, quote ", header: yes');
  assert.equal(guess('a\nb\n', { name: 'x.tsv' }), 'delimiter tab, quote ", header: yes');
  assert.equal(guess('a,b\n1,2\n', { name: 'x.tsv' }), 'delimiter ,, quote ", header: yes');
  for (let seed = 1; seed <= 50; seed++) {
    const next = random(seed);
    const bytes = Buffer.from(Array.from({ length: 3000 }, () => Math.floor(next() * 256)));
    const { delimiter, quote } = sniffDialect(bytes, { columns: defaultColumns });
    assert.notEqual(delimiter, quote);
  }
  for (const hostile of ['"'.repeat(70_000), ','.repeat(70_000), `"${'a\n'.repeat(40_000)}`, '\n'.repeat(70_000), '\0'.repeat(70_000), "'\"".repeat(30_000)]) {
    assert.equal(sniffDialect(Buffer.from(hostile)).delimiter.length, 1); // in bounded time
  }
});
