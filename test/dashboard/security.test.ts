/** Who is answered, and with which headers: hosts, origins, tokens, methods, addresses and bodies that are none of a page's. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startDashboard } from '../../lib/dashboard/server.ts';
import { noDuckDB } from '../sql/sessions.ts';
import { open, raw, type Client } from './client.ts';
import { makeDataset } from './dataset.ts';

const TOKEN = 'a-token-of-24-characters';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** With any header, which fetch would not send. */
function ask(port: number, path: string, headers: Record<string, string> = {}, { method = 'GET', body }: { method?: string; body?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers: { connection: 'close', ...headers } }, async (response) => {
      const text = Buffer.concat(await response.toArray() as Buffer[]).toString();
      resolve({ status: response.statusCode!, headers: response.headers, text });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('security', { skip: noDuckDB }, () => {
  let folder: string;
  let output: string;
  let shared: Client;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'etl-stream-test-'));
    ({ output } = await makeDataset(folder));
    shared = await open(undefined, { output });
  });
  after(async () => {
    await shared?.dashboard.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a host that is none of the server\'s, an origin or a page that is another, is refused', async () => {
    const { port } = shared;
    const own = `127.0.0.1:${port}`;
    for (const host of [own, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) assert.equal((await ask(port, '/api/overview', { host, origin: `http://${host.toLowerCase()}` })).status, 200, host);
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', 'localhost', `localhost:${port + 1}`, `localhost:${port}.evil.example`, `evil.localhost:${port}`, `127.0.0.1:${port}@evil.example`, `0.0.0.0:${port}`, ` `, `localhost.:${port}`]) {
      for (const path of ['/', '/api/overview', '/nothing']) {
        const { status, text } = await ask(port, path, { host });
        assert.ok([400, 421].includes(status), `${host}: ${status}`);
        assert.ok(!text.includes('watchTime') && !text.includes('<script'), host);
      }
    }
    for (const origin of ['null', 'http://evil.example', `http://evil.example:${port}`, `http://localhost:${port}`, `http://${own}.evil.example`, 'file://', '']) {
      assert.equal((await ask(port, '/api/overview', { host: own, origin })).status, 403, origin);
    }
    for (const site of ['cross-site', 'same-site', 'anything']) {
      assert.equal((await ask(port, '/api/overview', { host: own, 'sec-fetch-site': site })).status, 403, site);
      assert.equal((await ask(port, '/', { host: own, 'sec-fetch-site': site })).status, 200, 'a link may lead to the page');
    }
    for (const site of ['same-origin', 'none']) assert.equal((await ask(port, '/api/overview', { host: own, 'sec-fetch-site': site })).status, 200, site);
  });

  test('every answer has headers that let a browser run nothing of an attacker\'s', async () => {
    const { port } = shared;
    const host = `127.0.0.1:${port}`;
    const wanted = {
      'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin', 'cross-origin-opener-policy': 'same-origin', 'x-frame-options': 'DENY',
    };
    const answers = [
      await ask(port, '/', { host }), await ask(port, '/api/overview', { host }), await ask(port, '/api/export?sql=SELECT+1', { host }), await ask(port, '/none', { host }), await ask(port, '/', { host: 'evil' }),
      await ask(port, '/api/query', { host, 'content-type': 'application/json' }, { method: 'POST', body: '{}' }), await ask(port, '/api/top?offset=x', { host }), await ask(port, '/', { host }, { method: 'DELETE' }),
      await ask(port, '/', { host }, { method: 'HEAD' }),
    ];
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 404, 421, 400, 400, 405, 200]);
    for (const { headers, status } of answers) {
      for (const [name, value] of Object.entries(wanted)) assert.equal(headers[name], value, `${status}: ${name}`);
      for (const name of ['access-control-allow-origin', 'x-powered-by', 'server', 'set-cookie']) assert.equal(headers[name], undefined);
    }
  });

  test('with a token nobody is answered who does not say it', async (t) => {
    const { port, dashboard } = await open(t, { output, token: TOKEN });
    const host = `127.0.0.1:${port}`;
    assert.equal(dashboard.url, `http://${host}/?token=${TOKEN}`);
    const nearly = [TOKEN.slice(1), `${TOKEN}x`, TOKEN.toUpperCase(), '', ' ', 'a'.repeat(60_000)];
    for (const path of ['/', '/api/overview', '/api/events', '/api/export?sql=SELECT+1', '/none']) {
      assert.equal((await ask(port, path, { host })).status, 401, path);
      for (const token of nearly) assert.ok([401, 431].includes((await ask(port, path, { host, authorization: `Bearer ${token}` })).status), path);
    }
    const odd: [path: string, headers: Record<string, string>][] = [
      [`/api/overview?token=${TOKEN}`, {}], ['/api/overview', { cookie: `token=${TOKEN}` }], ['/api/overview', { cookie: `etl-stream-${port}=${TOKEN}` }], ['/api/overview', { 'x-token': TOKEN }],
      ['/api/overview', { authorization: TOKEN }], ['/api/overview', { authorization: `Basic ${TOKEN}` }], ['/api/overview', { referer: dashboard.url }], ['/?token=', {}], [`/?token=x&token=${TOKEN}`, {}], [`/?Token=${TOKEN}`, {}], [`//?token=${TOKEN}`, {}],
    ];
    for (const [path, headers] of odd) assert.equal((await ask(port, path, { host, ...headers })).status, 401, `${path} ${JSON.stringify(headers)}`);
    assert.equal((await ask(port, '/api/overview', { host: 'evil.example', authorization: `Bearer ${TOKEN}` })).status, 421);
    assert.equal((await ask(port, '/api/overview', { host, authorization: `Bearer ${TOKEN}` })).status, 200);
    assert.equal((await ask(port, `/?region=a%26b&token=${TOKEN}&sql=%27`, { host })).headers.location, '/?region=a%26b&sql=%27');
    const { status, headers } = await ask(port, `/?token=${TOKEN}`, { host });
    assert.deepEqual([status, headers.location], [303, '/']);
    const [cookie] = headers['set-cookie'] as string[];
    assert.match(cookie!, /; HttpOnly; SameSite=Strict$/);
    assert.ok(!cookie!.includes(TOKEN));
    const said = cookie!.split(';')[0]!;
    assert.equal((await ask(port, '/api/overview', { host, cookie: said })).status, 200);
    assert.equal((await ask(port, '/api/overview', { host, cookie: said.slice(0, -1) })).status, 401);
  });

  test('others than this machine are let in by a token alone', async () => {
    for (const host of ['0.0.0.0', '::']) {
      await assert.rejects(startDashboard({ output, host }), (error: Error) => /needs a --token/.test(error.message));
    }
    for (const token of ['short', 'x'.repeat(15), 'with spaces in the middle', 'ä'.repeat(20), `${TOKEN}\r\nx: y`]) await assert.rejects(startDashboard({ output, token }), { code: 'ETL_USAGE' }, token);
    const dashboard = await startDashboard({ output, host: '0.0.0.0', token: TOKEN });
    const { port, hostname } = new URL(dashboard.url);
    try {
      assert.equal(hostname, 'localhost');
      assert.equal((await ask(Number(port), '/api/overview', { host: 'any.example' })).status, 401);
      assert.equal((await ask(Number(port), '/api/overview', { host: 'any.example', authorization: `Bearer ${TOKEN}` })).status, 200);
      assert.equal((await ask(Number(port), '/api/overview', { host: 'any.example', origin: 'http://other.example', authorization: `Bearer ${TOKEN}` })).status, 403);
      await assert.rejects(startDashboard({ output, port: Number(port), host: '0.0.0.0', token: TOKEN }), { code: 'ETL_USAGE', message: /is taken/ });
    } finally {
      await dashboard.close();
    }
    await assert.rejects(startDashboard({ output, host: 'no-such-host.invalid' }), { code: 'ETL_USAGE' });
    await assert.rejects(startDashboard({ output: join(folder, 'none') }), { code: 'ETL_INPUT_NOT_FOUND' });
  });

  test('an address is never a path', async () => {
    const { port } = shared;
    const targets = [
      '/../../../../etc/passwd', '/..%2f..%2f..%2fetc%2fpasswd', '/%2e%2e/%2e%2e/etc/passwd', '/%252e%252e/etc/passwd', '/....//....//etc/passwd', '/..\\..\\etc\\passwd', '/%5c..%5cetc', '//etc/passwd', '/api/../../etc/passwd', '/index.html/../../index.js',
      '/%00', '/index.html%00.js', '/./', '/../index.js', '/_etl/dataset.json', '/package.json', '/index.html', '/api', '/api/', '/API/overview', '/api/overview/', '/api//overview', '/;/api/overview', '/api/overview%2f', '/%', '/%zz', '/\u00ff', `/${'a/'.repeat(5000)}`, '/api/__proto__', '/constructor', '/__proto__', '*', 'http://evil.example/', `http://127.0.0.1:${port}/../etc/passwd`, '?x', '',
    ];
    for (const target of targets) {
      const answer = await raw(port, Buffer.from(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`, 'latin1'));
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
      const isPage = ['/./', '/../'].includes(target) || status === 200;
      assert.ok(isPage ? answer.includes('<!doctype html>') : [400, 404, 421].includes(status), `${target.slice(0, 60)}: ${answer.slice(0, 300)}`);
      assert.ok(!answer.includes('root:') && !answer.includes(folder) && !answer.includes('valueScale'), target);
    }
  });

  test('methods, headers and bodies that no page sends', async (t) => {
    const client = await open(t, { output });
    const { port } = client;
    const host = `127.0.0.1:${port}`;
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'M-SEARCH']) assert.equal((await ask(port, '/api/overview', { host }, { method })).status, 405, method);
    assert.equal((await ask(port, '/api/overview', { host }, { method: 'HEAD' })).status, 405);
    assert.match(await raw(port, `BREW /api/overview HTTP/1.1\r\nHost: ${host}\r\n\r\n`), /^HTTP\/1\.1 400/);
    assert.match(await raw(port, `CONNECT evil.example:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`), /^$|^HTTP\/1\.1 4/);
    assert.match(await raw(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 (400|200)/);
    assert.match(await raw(port, `GET / HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 400/);
    assert.match(await raw(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`), /^HTTP\/1\.1 431/);
    assert.match(await raw(port, `GET /api/users?prefix=${'x'.repeat(100_000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`), /^HTTP\/1\.1 431/);
    assert.match(await raw(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`), /^HTTP\/1\.1 400/);
    assert.match(await raw(port, Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])), /^HTTP\/1\.1 400/);

    const post = (body: string, type = 'application/json'): Promise<Answer> => ask(port, '/api/query', { host, 'content-type': type }, { method: 'POST', body });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx', 'text/json', '']) assert.equal((await post('{"sql":"SELECT 1"}', type)).status, 415, type);
    assert.equal((await post('{"sql":"SELECT 1"}', 'application/json; charset=utf-8')).status, 200);
    for (const body of ['', '{', 'null', '[]', '"x"', '1', '{"sql":1}', '{"sql":null}', '{"sql":""}', '{"sql":["SELECT 1"]}', '{"sql":{"toString":"x"}}', '{"__proto__":{"sql":"SELECT 1"}}', '{"constructor":{"prototype":{"sql":"SELECT 1"}}}', '{"sql":"SELECT 1","snapshot":1}', '\ufeff{', '{"sql":"\u0000"}', `${'['.repeat(30_000)}`]) {
      assert.equal((await post(body)).status, 400, body.slice(0, 60));
    }
    assert.equal((await post('{"sql":"SELECT 1","snapshot":"__proto__"}')).status, 410);
    for (const body of [`{"sql":"SELECT ${' '.repeat(50_000)}1"}`, `{"x":"${'x'.repeat(10_000_000)}"}`]) {
      const answer = await post(body).catch((error: NodeJS.ErrnoException) => error); // the server need not wait for the rest
      assert.ok(answer instanceof Error || answer.status === 413, String(answer));
    }
    for (const path of ['/api/users?prefix=a&prefix=b', '/api/selection?region=a&region=b', `/api/selection?region=${'x'.repeat(9000)}`, '/api/export?sql=', '/api/export?format=xlsx&sql=SELECT+1', '/api/export?format=__proto__&sql=SELECT+1']) {
      assert.equal((await ask(port, path, { host })).status, 400, path.slice(0, 60));
    }
    // One that is never done with what it says keeps nobody waiting.
    const slow = raw(port, `POST /api/query HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"sql`);
    await client.get('/api/overview');
    await client.dashboard.close();
    assert.doesNotMatch(await slow, /200 OK/);
  });
});
