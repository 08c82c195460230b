import { describe, expect, test } from 'vitest';

import { createFence } from '../../../src/egress.ts';
import { Checks } from '../../../src/proxy/exits/checks.ts';
import { Journey } from '../../../src/proxy/exits/journey.ts';
import { ExitPool } from '../../../src/proxy/exits/pool.ts';
import { RawClient, startPeer, startProxy, until, type Peer } from '../../harness/socks.ts';
import { GREETING, login, request } from '../../harness/socksMessages.ts';
import { specs, travellerOf } from './fixture.ts';

/** RFC 1928 and 1929, as a client of an upstream proxy sends them. */
const HELLO = '05020002';
const LOGIN = '0101750170';

/** Exits that are checked, each of them failed three times; the pause of all of them is over. */
class Quarantine implements Disposable {
  now = 0;
  readonly pool: ExitPool;
  readonly #checks: Checks;

  constructor(exits: string) {
    this.pool = new ExitPool(specs(exits), undefined, true);
    while (this.pool.stats.some(({ state }) => state === 'HEALTHY')) {
      const plan = { traveller: travellerOf({}), addresses: ['192.0.2.1'], port: 1, timeoutMs: 1_000 } as const;
      const journey = new Journey(this.pool, plan, () => this.now);
      while (journey.next() !== undefined)
        journey.failed({ failure: 'HOST_UNREACHABLE', blame: 'EXIT', detail: 'before' });
    }
    this.now = 1_000;
    this.#checks = new Checks({
      pools: [this.pool],
      resolveUpstream: createFence({ allow: ['127.0.0.0/8'] }).resolve,
      now: () => this.now,
      onError: (error) => {
        throw error;
      },
    });
    this.#checks.start();
  }

  [Symbol.dispose](): void {
    this.#checks.close();
  }

  /** @returns its name, whether a connection may try it, and when its pause ends or ended */
  get exits(): readonly unknown[] {
    return this.pool.stats.map(({ id, state, retryAt }) => [id, state, retryAt?.getTime()]);
  }

  get unchecked(): number {
    return this.pool.unchecked(this.now).length;
  }
}

/** A SOCKS5 proxy that answers a greeting, once it may, and a login with these bytes, and keeps what was sent. */
async function startUpstream(
  answer: { greeting: readonly number[]; login: readonly number[] },
  may: Promise<void> = Promise.resolve(),
) {
  const heard: string[] = [];
  const peer = await startPeer((socket) => {
    const index = heard.push('') - 1;
    let count = 0;
    socket.on('data', (bytes: Buffer) => {
      heard[index] += bytes.toString('hex');
      const bytesOfAnswer = count++ === 0 ? answer.greeting : answer.login;
      void may.then(() => socket.write(Uint8Array.from(bytesOfAnswer)));
    });
  });
  return Object.assign(peer, { heard });
}

describe('SOCKS5', () => {
  test('a proxy that lets us in is left to a connection, and is asked for nothing', async () => {
    let seen: () => void = () => undefined;
    const may = new Promise<void>((resolve) => (seen = resolve));
    await using upstream = await startUpstream({ greeting: [5, 2], login: [1, 0] }, may);
    using quarantine = new Quarantine(`socks5://u:p@127.0.0.1:${upstream.port}`);
    await until(() => quarantine.pool.stats[0]?.state === 'PROBING', 'a check begins');
    seen();
    await until(() => quarantine.pool.stats[0]?.state === 'QUARANTINED', 'it is over');
    expect([quarantine.unchecked, upstream.heard]).toEqual([0, [HELLO + LOGIN]]);
    expect(quarantine.pool.stats[0]).toMatchObject({ failures: 3, retryAt: new Date(1_000) });
    await until(() => upstream.sockets.size === 0, 'closed');
  });

  test.each([
    ['refuses the login', { greeting: [5, 2], login: [1, 1] }, 'check: SOCKS5: the login was refused'],
    ['speaks something else', { greeting: [72], login: [] }, 'check: SOCKS5: version 72'],
  ])('a proxy that %s is left alone for longer', async (_what, answer, detail) => {
    await using upstream = await startUpstream(answer);
    using quarantine = new Quarantine(`socks5://u:p@127.0.0.1:${upstream.port}`);
    await until(() => quarantine.pool.stats[0]?.failures === 4, 'the check fails');
    expect(quarantine.pool.stats[0]).toMatchObject({
      state: 'QUARANTINED',
      retryAt: new Date(3_000),
      lastError: { detail },
    });
    expect([upstream.heard.length, quarantine.unchecked]).toEqual([1, 0]);
  });
});

test('an HTTP proxy is connected to, and told nothing', async () => {
  await using upstream = await startUpstream({ greeting: [], login: [] });
  using quarantine = new Quarantine(`http://u:p@127.0.0.1:${upstream.port},http://127.0.0.1:1`);
  await until(() => quarantine.unchecked === 0 && upstream.heard.length === 1, 'both are checked');
  await until(() => quarantine.pool.stats.every(({ state }) => state === 'QUARANTINED'), 'and over');
  expect(quarantine.exits.map((exit) => (exit as unknown[])[2])).toEqual([1_000, 3_000]);
  expect(upstream.heard).toEqual(['']);
});

test('an address is bound', async () => {
  using quarantine = new Quarantine('bind:127.0.0.3,bind:192.0.2.7,direct');
  await until(() => quarantine.unchecked === 0, 'all are checked');
  await until(() => quarantine.pool.stats.every(({ state }) => state === 'QUARANTINED'), 'and over');
  expect(quarantine.exits).toEqual([
    ['bind:127.0.0.3', 'QUARANTINED', 1_000],
    ['bind:192.0.2.7', 'QUARANTINED', 3_000],
    ['direct', 'QUARANTINED', 1_000],
  ]);
});

test('sixteen are checked at once, each once; and nothing is left when it is closed', async () => {
  const silent = { greeting: [], login: [] };
  const many = (peer: Peer): string =>
    Array.from({ length: 40 }, (_, index) => `socks5://u${index}@127.0.0.1:${peer.port}`).join(',');
  await using upstream = await startUpstream(silent);
  using quarantine = new Quarantine(many(upstream));
  await until(() => upstream.heard.length === 16, 'as many as may');
  let most = 0;
  await until(() => {
    most = Math.max(most, upstream.sockets.size);
    const [first] = upstream.sockets;
    first?.destroy();
    return upstream.heard.length === 40;
  }, 'all of them in the end');
  expect(most).toBe(16);
  quarantine[Symbol.dispose]();
  await until(() => upstream.sockets.size === 0, 'closed');
  await until(() => quarantine.pool.stats.every(({ state }) => state === 'QUARANTINED'), 'over');
});

test('a dead exit costs no customer time after its pause, and comes back by itself and one connection', async () => {
  let works = false;
  await using target = await startPeer((socket) => socket.end('here'));
  const heard: string[] = [];
  await using upstream = await startPeer((socket) => {
    const index = heard.push('') - 1;
    socket.on('data', (bytes: Buffer) => {
      heard[index] += bytes.toString('hex');
      const answer = heard[index] === '050100' ? [5, 0] : [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
      if (works) socket.write(Uint8Array.from(answer));
      else socket.destroy();
    });
  });
  await using proxy = await startProxy({ exits: `socks5://127.0.0.1:${upstream.port},direct` });
  const state = () => proxy.proxy.exits.SHARED.stats[0]?.state;
  const go = async (): Promise<number | undefined> => {
    using client = new RawClient(proxy.port);
    client.send(GREETING, login(), request(target.port));
    return (await client.take(14))[5];
  };
  while (state() === 'HEALTHY') expect(await go()).toBe(0);
  expect(heard.length).toBe(3);
  await until(() => heard.length === 4 && state() === 'QUARANTINED', 'a check fails');
  works = true;
  await until(() => heard.length === 5 && state() === 'QUARANTINED', 'a check passes');
  expect(heard[4]).toBe('050100');
  while (state() !== 'HEALTHY') expect(await go()).toBe(0);
  await until(() => heard.length === 6, 'the connection that has proved it');
});
