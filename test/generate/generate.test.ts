import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { parse } from 'csv-parse/sync';
import { EtlError } from '../../lib/core/errors.ts';
import { generateDefaults, generateLogs } from '../../lib/generate/generate.ts';
import type { GeneratedLogs, GenerateOptions } from '../../lib/generate/generate.ts';
import { oracleTotals } from '../oracle/duckdb.ts';
import { temporaryFolder } from '../temporary.ts';

const MB = 1e6;
const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const small = { files: 2, size: 0.2 * MB, users: 1000 };

async function generate(context: TestContext, options: Omit<GenerateOptions, 'folder'>): Promise<GeneratedLogs> {
  return generateLogs({ folder: temporaryFolder(context), ...options });
}

function textOf(logs: GeneratedLogs): string[] {
  return logs.files.map(({ path }) => readFileSync(path, 'utf8'));
}

function rowsOf(logs: GeneratedLogs): string[][] {
  return textOf(logs).map((text) => text.split('\n').slice(1, -1));
}

/** `share` of `of` rows, within five standard deviations. */
function assertShare(actual: number, share: number, of: number): void {
  const tolerance = 5 * Math.sqrt(of * share * (1 - share)) + 1;
  assert.ok(Math.abs(actual - share * of) <= tolerance, `${actual} of ${of} is not a share of ${share}`);
}

describe('the same bytes for the same arguments', () => {
  const digest = (logs: GeneratedLogs): string => createHash('sha256').update(textOf(logs).join('')).digest('hex');

  test('on every machine, run after run', async (t) => {
    const first = digest(await generate(t, { ...small, seed: 7, badRows: 0.05, quoted: 0.2 }));
    assert.equal(first, digest(await generate(t, { ...small, seed: 7, badRows: 0.05, quoted: 0.2 })));
    assert.equal(first, '8749ba4006bf91e481326809c60b1877c79ee33a614d7be180bb6242548970c8');
  });

  test('another seed, other bytes', async (t) => {
    const seeds = await Promise.all([0, 1, 2, 2 ** 32 - 1].map((seed) => generate(t, { ...small, seed })));
    assert.equal(new Set(seeds.map(digest)).size, 4);
  });

  test('a file does not depend on how many follow, as long as its size stays', async (t) => {
    const two = textOf(await generate(t, { ...small, files: 2, size: 200_000 }));
    const three = textOf(await generate(t, { ...small, files: 3, size: 300_000 }));
    assert.deepEqual(two, three.slice(0, 2));
  });
});

describe('rows', () => {
  test('are what the logs of a service look like', async (t) => {
    const logs = await generate(t, { files: 2, size: 4 * MB, users: 20_000 });
    const records = textOf(logs).map((text) => parse(text, { columns: true }) as Record<string, string>[]);
    const all = records.flat();
    assert.equal(all.length, logs.rows);
    assert.deepEqual(records.map((file) => file.length), logs.files.map(({ rows }) => rows));
    let ipv6 = 0;
    let unrouted = 0;
    for (const row of all) {
      assert.match(row.log_id!, uuid4);
      assert.match(row.user_id!, /^user_\d{7}$/);
      const user = Number(row.user_id!.slice(5));
      assert.ok(user >= 1 && user <= 20_000);
      assert.match(row.timestamp!, /^2026-01-0[12]T\d\d:\d\d:\d\dZ$/);
      const minutes = Number(row['watch_time(min)']);
      assert.ok(Number.isInteger(minutes) && minutes >= 1 && minutes <= 240, row['watch_time(min)']!);
      const version = isIP(row.ip_address!);
      assert.notEqual(version, 0, row.ip_address!);
      if (version === 6) ipv6++;
      if (/^(10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(row.ip_address!)) unrouted++;
    }
    assertShare(unrouted, 0.005, all.length);
    assert.ok(ipv6 > 0.01 * all.length && ipv6 < 0.06 * all.length, `${ipv6} of ${all.length} on IPv6`); // by users, who are skewed
    const minutes = all.map((row) => Number(row['watch_time(min)'])).sort((a, b) => a - b);
    assert.ok(Math.abs(minutes[all.length >> 1]! - 30) <= 2, `median ${minutes[all.length >> 1]}`);
    assert.ok(minutes.at(-1)! > 235);
    const seen = new Set<string>();
    for (const file of records) {
      const times = file.filter((row) => seen.size < seen.add(row.log_id!).size).map((row) => row.timestamp!);
      assert.deepEqual(times, times.toSorted());
      assert.match(times[0]!, /T00:00:0/);
      assert.match(times.at(-1)!, /T23:59:5/);
    }
  });

  test('come 97 % from a home that stays, and an eighth of the users have half of them', async (t) => {
    const logs = await generate(t, { files: 2, size: 4 * MB, users: 2000, ipv6: 0, duplicates: 0 });
    const networks = new Map<string, Map<string, number>>();
    for (const row of rowsOf(logs).flat()) {
      const [, user, , ip] = row.split(',') as [string, string, string, string];
      const network = ip.slice(0, ip.lastIndexOf('.'));
      const seen = networks.get(user) ?? new Map<string, number>();
      networks.set(user, seen.set(network, (seen.get(network) ?? 0) + 1));
    }
    const activity = [...networks.values()].map((seen) => [...seen.values()].reduce((a, b) => a + b)).sort((a, b) => b - a);
    const home = [...networks.values()].map((seen) => Math.max(...seen.values())).reduce((a, b) => a + b);
    assertShare(home, 0.97, logs.rows);
    assert.equal(networks.size, 2000);
    const top = activity.slice(0, 250).reduce((a, b) => a + b);
    assert.ok(Math.abs(top / logs.rows - 0.5) < 0.03, `an eighth of the users has ${top} of ${logs.rows} rows`);
  });

  for (const users of [1, 2, 3, 1000, 1e9]) {
    test(`name users 1 to ${users}`, async (t) => {
      const rows = rowsOf(await generate(t, { files: 1, size: 3 * MB, users, duplicates: 0 })).flat();
      const numbers = new Set(rows.map((row) => Number(row.split(',')[1]!.slice(5))));
      for (const number of numbers) assert.ok(number >= 1 && number <= users, String(number));
      assert.ok(users === 1e9 || numbers.size === users, `${numbers.size} users seen`);
    });
  }

  for (const [lineEnd, end] of [['lf', '\n'], ['crlf', '\r\n'], ['cr', '\r']] as const) {
    test(`end in ${lineEnd}, in quotes as asked`, async (t) => {
      const logs = await generate(t, { ...small, lineEnd, quoted: 0.25 });
      const text = textOf(logs)[0]!;
      const lines = text.split(end);
      assert.equal(lines.length, logs.files[0]!.rows + 2);
      assert.doesNotMatch(lines.join(''), /[\r\n]/);
      assert.equal(parse(text, { record_delimiter: end }).length, logs.files[0]!.rows + 1);
      assertShare(lines.filter((line) => line.startsWith('"')).length, 0.25, logs.files[0]!.rows);
    });
  }
});

describe('size', () => {
  for (const [files, size] of [[1, 256], [3, 100_000], [2, 5 * MB + 1], [7, 7 * 1024]] as const) {
    test(`${size} bytes in ${files} files are met within a row a file`, async (t) => {
      let progress = 0;
      const logs = await generate(t, { files, size, onProgress: (written, all) => {
        assert.ok(written >= progress && written <= all);
        progress = written;
      } });
      const texts = textOf(logs);
      assert.deepEqual(texts.map((text) => text.length), logs.files.map(({ bytes }) => bytes));
      for (const { bytes } of logs.files) assert.ok(bytes <= Math.ceil(size / files) && bytes > size / files - 160, `${bytes} of ${size / files}`);
      assert.equal(progress, logs.files.reduce((sum, { bytes }) => sum + bytes, 0));
      assert.deepEqual(logs.files.map(({ path }) => path.slice(-13)), texts.map((_, i) => `logs-000${i + 1}.csv`));
    });
  }
});

describe('duplicates', () => {
  test('are copies: 5/8 of rows close by, 3/8 of rows of the file before', async (t) => {
    const logs = await generate(t, { files: 3, size: 9 * MB, users: 50_000, duplicates: 0.08 });
    const [first, second, third] = rowsOf(logs) as [string[], string[], string[]];
    assertShare(logs.duplicates, 0.08, logs.rows);
    const unique = new Set([...first, ...second, ...third]);
    assert.equal(unique.size, logs.rows - logs.duplicates);
    assert.equal(new Set([...unique].map((row) => row.slice(0, 36))).size, unique.size, 'ids are unique apart from copies');
    const before = new Set(first);
    for (const [file, earlier] of [[second, before], [third, new Set(second)]] as const) {
      const last = new Map<string, number>();
      let near = 0;
      let far = 0;
      file.forEach((row, at) => {
        const seen = last.get(row);
        if (seen !== undefined && at - seen <= 4096) near++;
        else if (earlier.has(row)) far++;
        else assert.equal(seen, undefined, 'a copy of a row of this file, but not close by');
        last.set(row, at);
      });
      assertShare(far, 3 / 8, near + far);
    }
    assert.equal(first.length - before.size > 0.07 * first.length, true, 'the first file has near ones only');
  });

  test('the samples for the next file span the file', async (t) => {
    const logs = await generate(t, { files: 2, size: 16 * MB, duplicates: 0.3 });
    const [first, second] = rowsOf(logs) as [string[], string[]];
    assert.ok(first.length > 65536, 'more rows than a sample holds');
    const place = new Map(first.map((row, at) => [row, at / first.length]));
    const eighths = new Set(second.flatMap((row) => place.get(row) ?? []).map((at) => Math.floor(at * 8)));
    assert.equal(eighths.size, 8);
  });

  for (const duplicates of [0, 1]) {
    test(`a share of ${duplicates}`, async (t) => {
      const logs = await generate(t, { ...small, duplicates });
      assert.equal(new Set(rowsOf(logs).flat()).size, duplicates === 0 ? logs.rows : 1);
    });
  }
});

test('bad rows: a sixth of each kind, never copied', async (t) => {
  const logs = await generate(t, { files: 2, size: 2 * MB, users: 1000, badRows: 0.12, duplicates: 0.2 });
  assertShare(logs.bad + logs.badAddresses, 0.12, logs.rows);
  assertShare(logs.badAddresses, 1 / 6, logs.bad + logs.badAddresses);
  const kinds = { noId: 0, noUser: 0, value: 0, fields: 0, quote: 0 };
  const ids = new Set<string>();
  for (const row of rowsOf(logs).flat()) {
    const fields = row.split(',');
    const kind = row.includes('"') ? 'quote' : fields.length !== 5 ? 'fields' : fields[0] === '' ? 'noId' : fields[1] === '' ? 'noUser'
      : !/^\d+$/.test(fields[4]!) ? 'value' : undefined;
    if (kind === undefined) continue;
    kinds[kind]++;
    if (kind !== 'noId') assert.ok(ids.size < ids.add(fields[0]!).size, `${row} is there twice`);
  }
  assert.equal(Object.values(kinds).reduce((a, b) => a + b), logs.bad);
  for (const count of Object.values(kinds)) assertShare(count, 1 / 5, logs.bad);
});

test('an independent reader counts the rows, duplicates and rejects that were announced', async (t) => {
  for (const options of [{ badRows: 0.1, quoted: 0.3, lineEnd: 'crlf' }, { badRows: 0.05, lineEnd: 'cr', ipv6: 1 }, { quoted: 1 }] as const) {
    const logs = await generate(t, { files: 3, size: 3 * MB, users: 5000, duplicates: 0.15, ...options });
    const { read, duplicate, rejected } = await oracleTotals({ files: logs.files.map(({ path }) => path) });
    assert.deepEqual({ read, duplicate, rejected }, { read: logs.rows, duplicate: logs.duplicates, rejected: logs.bad });
  }
});

describe('options', () => {
  for (const wrong of [
    { files: 0 }, { files: 10_000 }, { files: 1.5 }, { size: 100 }, { files: 4, size: 1000 }, { size: NaN }, { users: 0 }, { users: 2e9 },
    { duplicates: -0.1 }, { duplicates: 1.1 }, { seed: -1 }, { seed: 2 ** 32 }, { badRows: 0.6 }, { badRows: 0.5, duplicates: 0.6 },
    { ipv6: 2 }, { quoted: -1 }, { lineEnd: 'nel' as 'lf' }, { users: '5' as unknown as number },
  ]) {
    test(`${JSON.stringify(wrong)} is a usage error that names the option`, async (t) => {
      await assert.rejects(generate(t, wrong), (error) => error instanceof EtlError && error.code === 'ETL_USAGE'
        && error.message.includes(`\`${Object.keys(wrong).at(-1)}\``));
    });
  }

  test('defaults are those of the issue', () => {
    assert.deepEqual(generateDefaults, {
      files: 4, size: 1e9, users: 2_000_000, duplicates: 0.08, seed: 1, badRows: 0, ipv6: 0.03, quoted: 0, lineEnd: 'lf',
    });
  });
});

describe('files that are there', () => {
  const code = (expected: string) => (error: unknown) => error instanceof EtlError && error.code === expected;

  test('are kept, unless overwritten; other logs are never mixed in', async (t) => {
    const folder = temporaryFolder(t);
    await generateLogs({ folder, ...small });
    await assert.rejects(generateLogs({ folder, ...small }), code('ETL_OUTPUT_EXISTS'));
    await generateLogs({ folder, ...small, overwrite: true });
    await assert.rejects(generateLogs({ folder, ...small, files: 1, overwrite: true }), code('ETL_OUTPUT_EXISTS'));
    assert.deepEqual(readdirSync(folder).sort(), ['logs-0001.csv', 'logs-0002.csv']);
  });

  test('an abort removes what was begun and nothing else', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'mine.csv'), 'x');
    const controller = new AbortController();
    const run = generateLogs({ folder, files: 2, size: 10 * MB, signal: controller.signal, onProgress: (written) => {
      if (written > 7 * MB) controller.abort();
    } });
    await assert.rejects(run, code('ETL_ABORTED'));
    assert.deepEqual(readdirSync(folder), ['mine.csv']);
  });

  test('an abort while overwriting keeps the logs that were there', async (t) => {
    const folder = temporaryFolder(t);
    await generateLogs({ folder, ...small });
    const before = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
    const controller = new AbortController();
    const onProgress = (written: number): void => {
      if (written > 7 * MB) controller.abort();
    };
    const run = generateLogs({ folder, files: 2, size: 10 * MB, overwrite: true, signal: controller.signal, onProgress });
    await assert.rejects(run, code('ETL_ABORTED'));
    assert.deepEqual(readdirSync(folder).map((name) => readFileSync(join(folder, name))), before);
  });

  test('a folder that cannot be made is an output error', async (t) => {
    const file = join(temporaryFolder(t), 'file');
    writeFileSync(file, '');
    await assert.rejects(generateLogs({ folder: join(file, 'logs'), ...small }), code('ETL_OUTPUT_WRITE'));
  });
});
