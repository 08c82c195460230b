import { randomBytes } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { openTunnel, startPeer, startProxy, until, type Peer } from '../../harness/socks.ts';
import { createTestMeter } from '../../harness/socksMeter.ts';

const BODY = randomBytes(100_000);

/** An upstream proxy whose target sends at once: all of it comes in the same write as the answer. */
const UPSTREAMS: Readonly<Record<'http' | 'socks5', () => Promise<Peer>>> = {
  http: () =>
    startPeer((client) => {
      client.once('data', () => client.write(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), BODY])));
    }),
  socks5: () =>
    startPeer((client) => {
      client.once('data', () => {
        client.write(Uint8Array.of(5, 0));
        client.once('data', () => client.write(Buffer.concat([Uint8Array.of(5, 0, 0, 1, 1, 2, 3, 4, 0, 80), BODY])));
      });
    }),
};

/** Never dialled by anybody: the upstream proxies above answer for it. */
const TARGET_PORT = 80;

describe.each(['http', 'socks5'] as const)('what came behind the answer of a proxy (%s)', (kind) => {
  const start = UPSTREAMS[kind];

  test('is held while there is no credit, and delivered as credit comes', async () => {
    await using upstream = await start();
    const meter = createTestMeter(0);
    await using proxy = await startProxy({ meter, exits: `${kind}://127.0.0.1:${upstream.port}` });
    using client = await openTunnel(proxy.port, TARGET_PORT);
    await until(() => meter.waiting === 1, 'it asks for credit');
    expect([client.total, meter.spent('down')]).toEqual([14, 0]);
    let delivered = 0;
    for (const bytes of [1, 999, 20_000, BODY.length - 21_000]) {
      meter.grant(bytes);
      const part = await client.take(bytes);
      expect(part.equals(BODY.subarray(delivered, delivered + bytes))).toBe(true);
      delivered += bytes;
      await until(() => meter.waiting === 1 || delivered === BODY.length, 'it asks for more');
      expect([client.total - 14, meter.spent('down'), meter.spent('up')]).toEqual([delivered, delivered, 0]);
    }
  });

  test.each([0, 1, 777, 16_385, 99_999])('is cut after exactly %i bytes when no more comes', async (credit) => {
    await using upstream = await start();
    const meter = createTestMeter(credit, 'OUT_OF_CREDIT');
    await using proxy = await startProxy({ meter, exits: `${kind}://127.0.0.1:${upstream.port}` });
    using client = await openTunnel(proxy.port, TARGET_PORT);
    const received = await client.rest();
    await until(() => proxy.proxy.stats.connections === 0 && upstream.sockets.size === 0, 'closed');
    expect(received.equals(BODY.subarray(0, received.length))).toBe(true);
    expect([received.length, meter.spent()]).toEqual([credit, credit]);
    expect(proxy.refusals).toEqual(['OUT_OF_CREDIT']);
  });
});
