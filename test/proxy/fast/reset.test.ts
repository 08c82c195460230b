import { once } from 'node:events';

import { expect, test } from 'vitest';

import { RawClient, startPeer, startProxy, until } from '../../harness/socks.ts';
import { GREETING, login, requestName } from '../../harness/socksMessages.ts';

test('a client that resets right behind its request is not kept until its name is resolved', async () => {
  const release: (() => void)[] = [];
  let released = false;
  const slow = (): Promise<string[]> => new Promise((resolve) => release.push(() => resolve([])));
  await using target = await startPeer(() => undefined);
  await using proxy = await startProxy({
    // Some wait for their turn until others are through.
    fence: { lookup: () => (released ? Promise.resolve([]) : slow()), lookupTimeoutMs: 60_000 },
  });
  const whole = Buffer.concat([Buffer.from(GREETING), login(), requestName(target.port, 'slow.test')]);
  for (let count = 0; count < 200; count++) {
    using client = new RawClient(proxy.port);
    await once(client.socket, 'connect');
    client.socket.write(whole, () => client.socket.resetAndDestroy());
    await once(client.socket, 'close');
  }
  await until(() => proxy.proxy.stats.accepted === 200 && proxy.proxy.stats.connections === 0, 'closed');
  released = true;
  for (const resolve of release) resolve();
  await until(() => proxy.meter.sessions.every((session) => session.closed), 'sessions closed');
  expect(target.sockets.size).toBe(0);
});
