import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { describe, expect, test } from 'vitest';

import { CATALOGUE, REFUSAL_CODES } from '../../src/errors.ts';
import { httpAnswers } from '../../src/proxy/httpAnswers.ts';
import { startOrigin } from '../harness/origin.ts';
import { createTestMeter } from '../harness/socksMeter.ts';
import { RawClient, startPeer, startProxy, until } from '../harness/socks.ts';
import { KEY } from '../harness/socksMessages.ts';
import { freePort } from '../harness/upstreams.ts';

const run = promisify(execFile);
const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');
const OPENED = 'HTTP/1.1 200 Connection established\r\n\r\n';

function connectTo(target: string, username: string | null = KEY, ...headers: string[]): Buffer {
  const authorization =
    username === null ? [] : [`Proxy-Authorization: Basic ${Buffer.from(`${username}:x`).toString('base64')}`];
  return Buffer.from(
    `${[`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, ...authorization, ...headers].join('\r\n')}\r\n\r\n`,
  );
}

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

async function answerTo(port: number, request: Uint8Array): Promise<Answer> {
  using client = new RawClient(port);
  client.send(request);
  const [head = '', body = ''] = (await client.rest()).toString().split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = new Map(
    fields.map((field) => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 2)]),
  );
  expect(headers.get('Content-Length')).toBe(String(Buffer.byteLength(body)));
  expect(headers.get('Connection')).toBe('close');
  return { status: Number(line.split(' ')[1]), headers, body };
}

describe('a tunnel', () => {
  test('carries bytes both ways, those before the answer too, counted as over SOCKS', async () => {
    await using target = await startPeer((socket) => socket.pipe(socket));
    await using proxy = await startProxy();
    const bytes = randomBytes(500_000);
    using client = new RawClient(proxy.port);
    client.send(connectTo(`127.0.0.1:${target.port}`), bytes.subarray(0, 10_000));
    expect((await client.take(OPENED.length)).toString()).toBe(OPENED);
    client.send(bytes.subarray(10_000));
    expect(sha1(await client.take(bytes.length))).toBe(sha1(bytes));
    client.socket.end();
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([bytes.length, bytes.length]);
  });

  test('a request cut at every byte gives the same answer and the same payload', async () => {
    await using target = await startPeer((socket) => socket.pipe(socket));
    await using proxy = await startProxy();
    const whole = Buffer.concat([connectTo(`127.0.0.1:${target.port}`), Buffer.from('early data')]);
    for (let split = 0; split <= whole.length; split++) {
      using client = new RawClient(proxy.port);
      client.socket.setNoDelay(true);
      client.send(whole.subarray(0, split));
      await new Promise((resolve) => setImmediate(resolve));
      client.send(whole.subarray(split));
      expect((await client.take(OPENED.length)).toString()).toBe(OPENED);
      expect((await client.take(10)).toString()).toBe('early data');
    }
  });

  test('is cut to the byte when the credit is', async () => {
    await using target = await startPeer((socket) => socket.write(Buffer.alloc(1_000_000, 'x')));
    await using proxy = await startProxy({ meter: createTestMeter(123_456, 'OUT_OF_CREDIT') });
    using client = new RawClient(proxy.port);
    client.send(connectTo(`127.0.0.1:${target.port}`));
    await client.over;
    expect(proxy.meter.spent('down')).toBeLessThanOrEqual(123_456);
    expect(client.total).toBe(OPENED.length + proxy.meter.spent('down'));
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    expect(proxy.refusals).toEqual(['OUT_OF_CREDIT']);
  });

  test('both products, names resolved here, flags of the username', async () => {
    await using target = await startPeer((socket) => socket.end(String(socket.remoteAddress)));
    const names: string[] = [];
    await using proxy = await startProxy({
      exits: 'bind:127.0.0.2,bind:127.0.0.3',
      fence: {
        lookup: async (name) => {
          names.push(name);
          return ['127.0.0.1'];
        },
        allow: ['127.0.0.0/8'],
      },
    });
    for (const port of [proxy.port, proxy.dedicatedPort]) {
      for (let count = 0; count < 2; count++) {
        using client = new RawClient(port);
        client.send(connectTo(`name.test:${target.port}`, `${KEY}-session-abc`));
        expect((await client.rest()).toString()).toBe(`${OPENED}127.0.0.2`);
      }
    }
    expect(names).toEqual(Array(4).fill('name.test'));
    expect(proxy.meter.sessions.map(({ product }) => product)).toEqual(['SHARED', 'SHARED', 'DEDICATED', 'DEDICATED']);
  });
});

describe('refusals', () => {
  test('no credentials: 407, which asks for them, and says which', async () => {
    await using proxy = await startProxy();
    const { status, headers, body } = await answerTo(proxy.port, connectTo('example.test:443', null));
    expect([status, headers.get('Proxy-Authenticate')]).toEqual([407, 'Basic realm="Passerelle", charset="UTF-8"']);
    expect(body).toBe('NO_CREDENTIALS: The client sent no credentials. Use KEY:x@host, with any password.\n');
    await until(() => proxy.proxy.stats.refusals.get('NO_CREDENTIALS') === 1, 'counted');
  });

  test('an unknown key, bad flags and too many failures: 407, 407 and 429', async () => {
    await using proxy = await startProxy();
    const unknown = await answerTo(proxy.port, connectTo('example.test:443', 'lpf_unknown'));
    expect([unknown.status, unknown.body]).toEqual([407, 'KEY_UNKNOWN: No API key matches the username.\n']);
    const flags = await answerTo(proxy.port, connectTo('example.test:443', `${KEY}-country-fr`));
    expect(flags.status).toBe(407);
    expect(flags.body).toBe(
      'BAD_USERNAME: The flag "country" of the username is unknown; there are "session" and "ttl".\n',
    );
    expect(proxy.refusals).toEqual(['BAD_USERNAME']);
    await using throttled = await startProxy({
      authenticate: () => ({ refusal: 'THROTTLED', retryAfterSeconds: 899.2 }),
    });
    const { status, headers } = await answerTo(throttled.port, connectTo('example.test:443'));
    expect([status, headers.get('Retry-After'), headers.has('Proxy-Authenticate')]).toEqual([429, '900', false]);
  });

  const PASSED = [
    'ACCOUNT_SUSPENDED',
    'OUT_OF_CREDIT',
    'LIMIT_DAY',
    'LIMIT_WEEK',
    'LIMIT_MONTH',
    'NOT_ALLOWED',
  ] as const;
  test.each(PASSED)('%s, before the name is resolved; in JSON for who asks for it', async (code) => {
    await using proxy = await startProxy({
      openSession: async () => ({ refusal: code }),
      fence: { lookup: () => Promise.reject(new Error('not to be asked')) },
    });
    const { status, headers, body } = await answerTo(
      proxy.port,
      connectTo('example.test:443', KEY, 'Accept: application/json'),
    );
    expect([status, headers.get('Content-Type')]).toEqual([code === 'OUT_OF_CREDIT' ? 402 : 403, 'application/json']);
    expect(JSON.parse(body)).toEqual({ code, message: CATALOGUE[code].message });
    expect(headers.get('Proxy-Status')).toBe(`passerelle; error=http_request_denied; details="${code}"`);
    expect(proxy.refusals).toEqual([code]);
  });

  test('every refusal has a status and what to do', () => {
    for (const code of REFUSAL_CODES) {
      const answer = Buffer.from(httpAnswers(false).refused({ code })).toString();
      expect(answer).toMatch(/^HTTP\/1\.1 (?:402|403|407|429|503) [A-Z]/);
      expect(answer.endsWith(`\r\n\r\n${code}: ${CATALOGUE[code].message}\n`)).toBe(true);
    }
  });

  test.each(['10.0.0.1:80', '[::ffff:10.0.0.1]:80', '[fd00::1]:80', '167772161:80', 'private.test:80'])(
    'the private target %s: 403',
    async (target) => {
      await using proxy = await startProxy({ fence: { lookup: async () => ['10.0.0.1'] } });
      const { status, body } = await answerTo(proxy.port, connectTo(target));
      expect([status, body]).toEqual([403, `EGRESS_FORBIDDEN: ${CATALOGUE.EGRESS_FORBIDDEN.message}\n`]);
      expect(proxy.refusals).toEqual(['EGRESS_FORBIDDEN']);
    },
  );

  test('our own listeners: 403', async () => {
    await using proxy = await startProxy();
    expect((await answerTo(proxy.port, connectTo(`127.0.0.1:${proxy.port}`))).status).toBe(403);
  });

  test('too many connections: 403', async () => {
    await using target = await startPeer((socket) => socket.resume());
    await using proxy = await startProxy({ limits: { maxConnectionsPerKey: 1 } });
    using first = new RawClient(proxy.port);
    first.send(connectTo(`127.0.0.1:${target.port}`));
    await first.take(OPENED.length);
    const { status, body, headers } = await answerTo(proxy.port, connectTo(`127.0.0.1:${target.port}`));
    expect([status, body]).toEqual([403, 'CONNECTION_LIMIT: The API key has too many connections open.\n']);
    expect(headers.get('Proxy-Status')).toContain('error=connection_limit_reached');
  });

  test('targets that are not reached: 502 and 504, and free', async () => {
    const closed = await freePort();
    await using proxy = await startProxy({
      fence: {
        lookup: async (name) => {
          if (name === 'unknown.test') return [];
          throw new Error('SERVFAIL');
        },
        allow: ['127.0.0.0/8'],
      },
    });
    const statuses: [number, string | undefined][] = [];
    for (const target of [`127.0.0.1:${closed}`, 'unknown.test:80', 'broken.test:80']) {
      const { status, headers } = await answerTo(proxy.port, connectTo(target));
      statuses.push([status, /error=(\w+)/.exec(headers.get('Proxy-Status') ?? '')?.[1]]);
    }
    expect(statuses).toEqual([
      [502, 'connection_refused'],
      [502, 'dns_error'],
      [504, 'dns_timeout'],
    ]);
    expect(proxy.meter.spent()).toBe(0);
    expect(proxy.meter.sessions.every(({ closed: done }) => done)).toBe(true);
  });

  test('a fault of ours: 503', async () => {
    await using meter = await startProxy({ openSession: () => Promise.reject(new Error('the database is away')) });
    await using keys = await startProxy({ authenticate: () => Promise.reject(new Error('the database is away')) });
    await using exits = await startProxy({ exits: 'bind:192.0.2.7' });
    for (const [proxy, code] of [
      [meter, 'SERVICE_UNAVAILABLE'],
      [keys, 'SERVICE_UNAVAILABLE'],
      [exits, 'EXIT_UNAVAILABLE'],
    ] as const) {
      const { status, headers, body } = await answerTo(proxy.port, connectTo('127.0.0.1:9'));
      expect([status, headers.get('Retry-After')]).toEqual([503, '1']);
      expect(body).toContain(`${code}: `);
    }
  });

  test.each([
    ['GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n', 405],
    ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello', 405],
    ['CONNECT example.com HTTP/1.1\r\nHost: h\r\n\r\n', 400],
    ['CONNECT example.com:443 HTTP/1.1\r\n\r\n', 400],
    [`CONNECT h:1 HTTP/1.1\r\nX: ${'x'.repeat(9_000)}`, 431],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ])('%j', async (request, status) => {
    await using proxy = await startProxy();
    const answer = await answerTo(proxy.port, Buffer.from(request));
    expect(answer.status).toBe(status);
    expect(answer.headers.get('Allow')).toBe(status === 405 ? 'CONNECT' : undefined);
    expect(answer.body).toContain(status === 405 ? 'CONNECT' : 'BAD_REQUEST: ');
    expect(proxy.proxy.stats.refusals.size).toBe(0);
  });

  test('what is neither SOCKS5 nor HTTP is closed without a word', async () => {
    await using proxy = await startProxy();
    for (const first of [0x04, 0x16, 0x00, 0x63]) {
      using client = new RawClient(proxy.port);
      client.send([first]);
      expect((await client.rest()).length).toBe(0);
    }
  });
});

describe('clients', () => {
  const PYTHON = '/usr/bin/python3';
  const SCRIPT = `
import sys, base64, http.client
proxy, port, key, target = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
connection = http.client.HTTPConnection(proxy, port, timeout=20)
credentials = base64.b64encode((key + ':x').encode()).decode()
connection.set_tunnel('localhost', target, {'Proxy-Authorization': 'Basic ' + credentials})
connection.request('GET', '/bytes/300000')
print(len(connection.getresponse().read()))
`;

  test.skipIf(!existsSync(PYTHON))("Python's http.client (package python3)", async () => {
    await using origin = await startOrigin();
    await using proxy = await startProxy();
    const options = ['127.0.0.1', String(proxy.port), KEY, String(origin.port)];
    expect((await run(PYTHON, ['-c', SCRIPT, ...options])).stdout).toBe('300000\n');
  });

  const PROXYCHAINS = '/usr/bin/proxychains4';

  test.skipIf(!existsSync(PROXYCHAINS))('proxychains4, around a curl that knows of no proxy', async () => {
    await using origin = await startOrigin();
    await using proxy = await startProxy();
    const folder = await mkdtemp(path.join(tmpdir(), 'proxychains-'));
    try {
      const file = path.join(folder, 'proxychains.conf');
      const line = `http 127.0.0.1 ${proxy.port} ${KEY} x`;
      await writeFile(file, `strict_chain\nproxy_dns\n[ProxyList]\n${line}\n`);
      const options = ['-q', '-f', file, 'curl', '-sS', '--noproxy', '*', '--max-time', '20'];
      const { stdout } = await run(PROXYCHAINS, [...options, origin.url('/', 'localhost')]);
      expect(stdout).toBe('ok\n');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('curl', () => {
  const curl = async (...options: string[]): Promise<{ stdout: string; stderr: string }> =>
    run('curl', ['-sSv', '--max-time', '20', ...options]).catch(
      (error: Error & { stdout: string; stderr: string }) => error,
    );

  test.each(['', '-session-abc-ttl-1m'])(
    'downloads and uploads through -x http://KEY%s:x@…, to the byte',
    async (flags) => {
      await using origin = await startOrigin();
      await using proxy = await startProxy();
      const through = ['--proxytunnel', '-x', `http://${KEY}${flags}:x@127.0.0.1:${proxy.port}`];
      const down = await curl(
        ...through,
        '-o',
        '/dev/null',
        '-w',
        '%{size_download}',
        origin.url('/bytes/300000', 'localhost'),
      );
      expect(down.stdout).toBe('300000');
      const up = await curl(...through, '--data-binary', 'x'.repeat(20_000), origin.url('/'));
      expect(up.stdout).toBe('20000\n');
      await origin.idle();
      await until(() => proxy.proxy.stats.connections === 0, 'closed');
      const { up: sent, down: received } = origin.count();
      expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([Number(sent), Number(received)]);
    },
  );

  test('with the header alone, and with SOCKS on the same port', async () => {
    await using origin = await startOrigin();
    await using proxy = await startProxy();
    const authorization = `Proxy-Authorization: Basic ${Buffer.from(`${KEY}:`).toString('base64')}`;
    const options = ['-p', '-x', `http://127.0.0.1:${proxy.port}`, '--proxy-header', authorization];
    expect((await curl(...options, origin.url('/'))).stdout).toBe('ok\n');
    expect((await curl('-x', `socks5h://${proxy.url()}`, origin.url('/'))).stdout).toBe('ok\n');
  });

  test('tells why it was refused', async () => {
    await using origin = await startOrigin();
    await using empty = await startProxy({ openSession: async () => ({ refusal: 'OUT_OF_CREDIT' }) });
    const { stderr } = await curl('-p', '-x', `http://${KEY}:x@127.0.0.1:${empty.port}`, origin.url('/'));
    expect(stderr).toContain('CONNECT tunnel failed, response 402');
    expect(stderr).toContain('details="OUT_OF_CREDIT"');
    const plain = await curl('-x', `http://${KEY}:x@127.0.0.1:${empty.port}`, origin.url('/'));
    expect(plain.stderr).toContain('405');
  });
});
