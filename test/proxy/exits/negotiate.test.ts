import { expect, test } from 'vitest';

import { beginUpstream } from '../../../src/proxy/exits/attempt.ts';
import type { UpstreamSpec } from '../../../src/proxy/exits/config.ts';
import { Abandonment } from '../../../src/proxy/relay/abandonment.ts';
import { BufferPool } from '../../../src/proxy/relay/buffers.ts';
import { createPortableRelay } from '../../../src/proxy/relay/portable.ts';
import { startPeer, until, type Peer } from '../../harness/socks.ts';
import { startHttpUpstream } from '../../harness/upstreams.ts';

const NO = `HTTP/1.1 407 Proxy Authentication Required\r\nX: ${'x'.repeat(5_000)}\r\n\r\n`;

/** A portable relay, connected to the upstream proxy. */
async function reach({ port }: Pick<Peer, 'port'>) {
  const pool = new BufferPool();
  const relay = createPortableRelay(pool);
  const abandonment = new Abandonment();
  const endpoint = await relay.dial({ address: '127.0.0.1', port }, { timeoutMs: 5_000, abandonment });
  const spec: UpstreamSpec = { kind: 'HTTP', label: 'upstream', host: '127.0.0.1', port, login: undefined };
  const negotiate = (timeoutMs = 5_000) =>
    relay.negotiate(endpoint, beginUpstream(spec, '192.0.2.1', 80), { timeoutMs, abandonment });
  return { pool, relay, abandonment, endpoint, negotiate };
}

test('a long refusal leaves no large buffer behind', async () => {
  await using upstream = await startHttpUpstream(() => NO);
  const { pool, relay, endpoint, negotiate } = await reach(upstream);
  expect(await negotiate()).toMatchObject({ blame: 'EXIT', detail: 'HTTP: status 407' });
  expect(pool.inUse).toBe(1);
  relay.discard(endpoint);
  expect(pool.inUse).toBe(0);
  await until(() => upstream.sockets.size === 0, 'closed');
});

test('silence ends with its time, and with the client', async () => {
  await using upstream = await startPeer((socket) => socket.on('end', () => socket.end()).resume());
  const first = await reach(upstream);
  expect(await first.negotiate(20)).toMatchObject({ failure: 'TIMED_OUT', blame: 'UNSURE' });
  first.relay.discard(first.endpoint);
  const second = await reach(upstream);
  const given = second.negotiate();
  second.abandonment.abandon();
  expect(await given).toMatchObject({ blame: 'UNSURE' });
  second.relay.discard(second.endpoint);
  await until(() => upstream.sockets.size === 0, 'closed');
});

test('an upstream proxy that closes, or resets, is heard', async () => {
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    await using upstream = await startPeer((socket) => socket.once('data', () => socket[leave]()));
    const { relay, endpoint, negotiate } = await reach(upstream);
    expect(await negotiate()).toMatchObject({
      failure: 'HOST_UNREACHABLE',
      blame: 'UNSURE',
      detail: 'HTTP: the upstream proxy closed the connection when asked for the target',
    });
    relay.discard(endpoint);
  }
});
