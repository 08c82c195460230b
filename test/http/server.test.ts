import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { expect, it } from 'vitest';

import { HTTP_LIMITS } from '../../src/http/limits.ts';
import type { HttpServerOptions } from '../../src/http/server.ts';
import { exchange, post, startFixture, type RunningFixture } from './fixture.ts';

/** Sends raw bytes and returns all that comes back until the server closes. */
async function raw({ server }: RunningFixture, text: string): Promise<string> {
  const socket: Socket = connect(server.address.port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

it('says that it lives, whatever its parts do', async () => {
  await using fixture = await startFixture({ checks: { database: () => Promise.reject(new Error('away')) } });
  expect(await exchange(`${fixture.origin}/health`)).toMatchObject({ status: 200, body: '{"status":"ok"}' });
});

it('is ready when every check passes, and not while draining', async () => {
  let database = true;
  const checks: HttpServerOptions['checks'] = {
    async database() {
      if (!database) throw new Error('password=secret');
    },
    listeners: () => {},
  };
  await using fixture = await startFixture({ checks });
  const ready = async (): Promise<unknown[]> => {
    const { status, body } = await exchange(`${fixture.origin}/ready`);
    return [status, JSON.parse(body)];
  };
  expect(await ready()).toEqual([200, { status: 'ready', checks: { database: 'ok', listeners: 'ok' } }]);
  database = false;
  expect(await ready()).toEqual([503, { status: 'unavailable', checks: { database: 'failed', listeners: 'ok' } }]);
  fixture.server.drain();
  expect(await ready()).toEqual([503, { status: 'draining' }]);
});

it('counts requests by route and operations by outcome, and shows gauges of others', async () => {
  await using fixture = await startFixture();
  fixture.metrics.gauge('passerelle_ledger_drift', 'Drift.', [], () => 0);
  fixture.metrics.gauge('passerelle_connections', 'Open.', ['product'], () => [
    { labels: { product: 'SHARED' }, value: 3 },
  ]);
  fixture.metrics.gauge('passerelle_broken', 'Cannot be read.', [], () => Promise.reject(new Error('away')));
  await post(fixture.origin, { query: '{ hello }' });
  await post(fixture.origin, { query: '{ fail(kind: APP) }' }, { authorization: 'Bearer lpf_good' });
  await post(fixture.origin, { query: '{ hallo }' });
  await exchange(`${fixture.origin}/keys/12345`);
  const { body, headers } = await exchange(`${fixture.origin}/metrics`);
  expect(headers['content-type']).toContain('text/plain');
  expect(body.split('\n')).toEqual(
    expect.arrayContaining([
      'passerelle_http_requests_total{route="graphql",status="200"} 3',
      'passerelle_http_requests_total{route="rest",status="404"} 1',
      'passerelle_graphql_operations_total{type="query",outcome="OK"} 1',
      'passerelle_graphql_operations_total{type="query",outcome="BAD_INPUT"} 1',
      'passerelle_graphql_operations_total{type="invalid",outcome="GRAPHQL_VALIDATION_FAILED"} 1',
      'passerelle_ledger_drift 0',
      'passerelle_broken Nan',
      'passerelle_connections{product="SHARED"} 3',
    ]),
  );
  expect(body).toMatch(/process_cpu_seconds_total/);
  expect(body).not.toMatch(/lpf_good|12345/);
});

it('gives all other paths to the REST layer, with body and client address', async () => {
  await using fixture = await startFixture({
    async rest({ method, url, headers, clientAddress, body }) {
      if (url !== '/keys/1?a=b') return undefined;
      const text = Buffer.from((await body(10)) ?? 'too long').toString();
      const seen = { method, clientAddress, agent: headers['x-agent'], text };
      return { status: 201, headers: { 'content-type': 'application/json' }, body: JSON.stringify(seen) };
    },
  });
  const send = (body: string): ReturnType<typeof exchange> =>
    exchange(`${fixture.origin}/keys/1?a=b`, { method: 'PUT', headers: { 'x-agent': 'me' }, body });
  const seen = { method: 'PUT', clientAddress: '127.0.0.1', agent: 'me' };
  const answer = await send('0123456789');
  expect(answer.status).toBe(201);
  expect(JSON.parse(answer.body)).toEqual({ ...seen, text: '0123456789' });
  expect(JSON.parse((await send('0123456789a')).body)).toEqual({ ...seen, text: 'too long' });
  expect(await exchange(`${fixture.origin}/other`)).toMatchObject({
    status: 404,
    body: '{"error":"Not found","code":"NOT_FOUND"}',
  });
});

it('answers INTERNAL without details when a handler breaks', async () => {
  await using fixture = await startFixture({ rest: () => Promise.reject(new Error('select secret')) });
  const { status, body } = await exchange(`${fixture.origin}/x`);
  expect([status, body]).toEqual([500, '{"error":"Something went wrong on our side.","code":"INTERNAL"}']);
});

it('hands upgrades to the live layer and refuses the rest', async () => {
  const upgrade = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`;
  await using fixture = await startFixture({
    onUpgrade(request, socket) {
      if (request.url !== '/graphql') return false;
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      return true;
    },
  });
  expect(await raw(fixture, upgrade('/graphql'))).toMatch(/^HTTP\/1.1 101 /);
  expect(await raw(fixture, upgrade('/other'))).toMatch(/^HTTP\/1.1 404 /);
});

it('answers 413 to a chunked body that grows too large, and serves on', async () => {
  await using fixture = await startFixture();
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const head =
    'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  expect(await raw(fixture, head + chunk.repeat(5) + '0\r\n\r\n')).toMatch(/^HTTP\/1.1 413 /);
  expect((await post(fixture.origin, { query: '{ hello }' })).status).toBe(200);
});

it('refuses heads that are too large and requests that are not HTTP', async () => {
  await using fixture = await startFixture();
  const large = `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(HTTP_LIMITS.headerBytes)}\r\n\r\n`;
  expect(await raw(fixture, large)).toMatch(/^HTTP\/1.1 431 /);
  expect(await raw(fixture, '\u0005\u0001\u0002\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
});

it('cuts off a client that never finishes its head', { timeout: 30_000 }, async () => {
  await using fixture = await startFixture();
  const started = performance.now();
  expect(await raw(fixture, 'GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ')).toMatch(/^HTTP\/1.1 408 /);
  const limit = HTTP_LIMITS.headersTimeoutMs + 2 * HTTP_LIMITS.checkingIntervalMs;
  expect(performance.now() - started).toBeLessThan(limit + 3_000);
});

it('stops while idle connections are kept open', async () => {
  const fixture = await startFixture();
  const socket = connect(fixture.server.address.port, '127.0.0.1');
  socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'data');
  const gone = once(socket, 'close');
  const started = performance.now();
  await fixture.server.close();
  await gone;
  expect(performance.now() - started).toBeLessThan(HTTP_LIMITS.drainMs);
});

it('serves GraphiQL from one page that loads nothing from elsewhere', async () => {
  await using fixture = await startFixture();
  const { status, headers, body } = await exchange(`${fixture.origin}/graphql`, {
    headers: { accept: 'text/html,*/*' },
  });
  expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  expect(headers['x-content-type-options']).toBe('nosniff');
  // The fetcher of the page is told to use event streams of this endpoint, which carry the typed headers.
  expect(body).toContain('"subscriptionsProtocol":"SSE"');
  expect(body).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="https?:/);
});
