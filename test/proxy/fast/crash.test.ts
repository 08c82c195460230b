import { once } from 'node:events';

import { pino } from 'pino';
import { expect, test } from 'vitest';

import type { Opened } from '../../../src/metering/session.ts';
import { openTunnel, RawClient, startPeer, startProxy, until, untilStalled } from '../../harness/socks.ts';
import { createTestMeter } from '../../harness/socksMeter.ts';
import { GREETING, login, request } from '../../harness/socksMessages.ts';

/** A worker that throws when a tunnel to this port is to be dialled. */
const CRASHING = new URL('../../harness/crashingWorker.ts', import.meta.url);
const PORT_OF_DEATH = 9;
/** A worker that ends before it works. */
const BROKEN = new URL('../../harness/brokenWorker.ts', import.meta.url);
/** What a worker has under way for one tunnel at most: a pipe in each direction. */
const MOST_UNDER_WAY = 2 << 20;

interface Line {
  readonly msg: string;
  readonly connections: number;
  readonly undeliveredBytes: number;
  readonly pauseMs: number;
}

/** Lines of the log that tell of crashes. */
function crashLog(): { readonly log: pino.Logger; readonly crashes: Line[] } {
  const crashes: Line[] = [];
  const write = (text: string): void => {
    const line = JSON.parse(text) as Line;
    if (line.msg === 'a relay worker crashed and is replaced') crashes.push(line);
  };
  return { log: pino({}, { write }), crashes };
}

test('a worker that crashes is settled and replaced: what was delivered is billed, and nothing else', async () => {
  let sent = 0;
  await using target = await startPeer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      sent += chunk.length;
      socket.write(chunk);
    });
  });
  await using proxy = await startProxy({ relay: { workerSource: CRASHING } });
  const clients = await Promise.all(Array.from({ length: 5 }, () => openTunnel(proxy.port, target.port)));
  for (const client of clients) {
    client.send(Buffer.alloc(50_000, 1));
    await client.take(50_000);
  }
  const cuts = clients.map(({ socket }) => new Promise((resolve) => socket.once('error', resolve)));
  await expect(openTunnel(proxy.port, PORT_OF_DEATH)).rejects.toThrow('ended');
  for (const cut of cuts) expect(await cut).toMatchObject({ code: 'ECONNRESET' });
  await until(() => target.sockets.size === 0, 'targets closed');
  await until(() => proxy.proxy.stats.crashes === 1, 'noticed');
  expect(proxy.proxy.stats).toMatchObject({ connections: 0, tunnels: 0, handshakes: 0 });
  expect([sent, proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([250_000, 250_000, 250_000]);
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
  using again = await openTunnel(proxy.port, target.port, Buffer.from('still here'));
  expect((await again.take(10)).toString()).toBe('still here');
});

test('a crash in the middle of a handshake with an upstream proxy leaves neither exit nor session behind', async () => {
  let opens = false;
  await using upstream = await startPeer((client) => {
    client.once('data', () => {
      if (opens) client.write('HTTP/1.1 200 OK\r\n\r\nhello');
    });
  });
  const { log, crashes } = crashLog();
  await using proxy = await startProxy({
    relay: { workerSource: CRASHING },
    exits: `http://127.0.0.1:${upstream.port},http://127.0.0.1:${PORT_OF_DEATH}`,
    log,
  });
  const asking = new RawClient(proxy.port);
  asking.send(GREETING, login(), request(80));
  await until(() => upstream.sockets.size === 1, 'the handshake has begun');
  const reset = once(asking.socket, 'error');
  await expect(openTunnel(proxy.port, 80)).rejects.toThrow('ended');
  expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' });
  await until(() => upstream.sockets.size === 0 && crashes.length === 1, 'all closed');
  expect(crashes).toMatchObject([{ connections: 2, undeliveredBytes: 0, pauseMs: 100 }]);
  expect(proxy.proxy.stats).toMatchObject({ connections: 0, tunnels: 0, handshakes: 0, crashes: 1 });
  expect([proxy.meter.sessions.length, proxy.meter.spent()]).toEqual([2, 0]);
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
  const exits = proxy.proxy.exits.SHARED.stats;
  expect(exits.map(({ connections, failures, state }) => ({ connections, failures, state }))).toEqual(
    Array.from({ length: 2 }, () => ({ connections: 0, failures: 0, state: 'HEALTHY' })),
  );
  opens = true;
  using again = await openTunnel(proxy.port, 80);
  expect((await again.take(5)).toString()).toBe('hello');
  // The client may read before the main thread hears that the tunnel runs.
  await until(() => proxy.proxy.exits.SHARED.stats[0]?.connections === 1, 'counted');
});

test('what a crashed worker had under way is told, bounded and not billed', async () => {
  const chunk = Buffer.alloc(1 << 20, 7);
  await using target = await startPeer((socket) => {
    const more = (): void => {
      while (socket.write(chunk));
    };
    socket.on('drain', more);
    more();
  });
  const { log, crashes } = crashLog();
  await using proxy = await startProxy({ relay: { workerSource: CRASHING }, log });
  const client = await openTunnel(proxy.port, target.port);
  client.socket.pause();
  await untilStalled(proxy, 'down');
  const spent = proxy.meter.spent('down');
  await expect(openTunnel(proxy.port, PORT_OF_DEATH)).rejects.toThrow('ended');
  await until(() => crashes.length === 1 && proxy.proxy.stats.connections === 0, 'noticed');
  const undelivered = crashes[0]?.undeliveredBytes ?? 0;
  expect(undelivered).toBeGreaterThan(0);
  expect(undelivered).toBeLessThanOrEqual(MOST_UNDER_WAY);
  expect(proxy.meter.spent('down')).toBe(spent - undelivered);
  client.socket.destroy();
});

test('a worker that crashes again and again is replaced after growing pauses, and clients who come meanwhile are served', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  const { log, crashes } = crashLog();
  await using proxy = await startProxy({ relay: { choice: 'auto', workers: 1, workerSource: CRASHING }, log });
  expect(proxy.proxy.stats.relay).toBe('fast');
  for (let crash = 1; crash <= 4; crash += 1) {
    await expect(openTunnel(proxy.port, PORT_OF_DEATH)).rejects.toThrow('ended');
    await until(() => crashes.length === crash, 'noticed');
    const noticedAt = performance.now();
    using client = await openTunnel(proxy.port, target.port, Buffer.from('patience'));
    expect((await client.take(8)).toString()).toBe('patience');
    expect(performance.now() - noticedAt).toBeGreaterThanOrEqual((crashes.at(-1)?.pauseMs ?? 0) - 50);
    using other = new RawClient(proxy.dedicatedPort);
    other.send(GREETING);
    expect([...(await other.take(2))]).toEqual([5, 2]);
  }
  expect(crashes.map(({ pauseMs }) => pauseMs)).toEqual([100, 200, 400, 800]);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
});

test('where the workers do not start the portable relay takes the ports, unless the fast one was demanded', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  const lines: string[] = [];
  const log = pino({}, { write: (text) => void lines.push((JSON.parse(text) as Line).msg) });
  await using proxy = await startProxy({ relay: { choice: 'auto', workers: 2, workerSource: BROKEN }, log });
  expect(proxy.proxy.stats.relay).toBe('portable');
  expect(lines.filter((line) => line === 'the fast relay does not start: the portable one is used')).toHaveLength(1);
  using client = await openTunnel(proxy.port, target.port, Buffer.from('portable'));
  expect((await client.take(8)).toString()).toBe('portable');
  const demanded = startProxy({ relay: { choice: 'fast', workerSource: BROKEN } });
  await expect(demanded).rejects.toThrow('a relay worker cannot be started');
});

test('what is decided late about a connection that died with its worker reaches nobody on the next one', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  const meter = createTestMeter();
  const answers: ((opened: Opened) => void)[] = [];
  await using proxy = await startProxy({
    meter,
    relay: { workerSource: CRASHING },
    openSession: () => new Promise((resolve) => answers.push(resolve)),
  });
  const ask = (): RawClient => {
    const client = new RawClient(proxy.port);
    client.send(GREETING, login(), request(target.port), Buffer.from('mine'));
    return client;
  };
  using first = ask();
  await until(() => answers.length === 1, 'the first asks for credit');
  const fatal = openTunnel(proxy.port, PORT_OF_DEATH);
  await until(() => answers.length === 2, 'so does the one who brings the crash');
  const opened = (): Opened | Promise<Opened> => meter.openSession({ keyId: 1n, accountId: 1n }, 'SHARED');
  answers[1]?.(await opened());
  await expect(fatal).rejects.toThrow('ended');
  await first.over;
  using stranger = ask();
  await until(() => answers.length === 3, 'the stranger asks for credit');
  answers[0]?.({ refusal: 'OUT_OF_CREDIT' });
  await until(() => proxy.refusals.includes('OUT_OF_CREDIT'), 'refused');
  answers[2]?.(await opened());
  const answer = await stranger.take(18);
  expect([answer[5], answer.subarray(-4).toString()]).toEqual([0, 'mine']);
});
