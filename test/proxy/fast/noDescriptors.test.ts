import { expect, test } from 'vitest';

import { RawClient, startPeer, startProxy } from '../../harness/socks.ts';
import { GREETING, login, request } from '../../harness/socksMessages.ts';

/** A worker that gets no sockets to dial with. */
const POOR = new URL('../../harness/poorWorker.ts', import.meta.url);

test.each(['bind:127.0.0.2', 'direct', 'http://127.0.0.1:9'])(
  'without descriptors the fault is ours and not that of the exit (%s)',
  async (exits) => {
    await using target = await startPeer(() => undefined);
    await using proxy = await startProxy({ exits, relay: { workerSource: POOR } });
    for (let count = 0; count < 4; count++) {
      using client = new RawClient(proxy.port);
      client.send(GREETING, login(), request(target.port));
      expect((await client.rest())[5]).toBe(1);
    }
    expect(proxy.refusals).toEqual(Array(4).fill('SERVICE_UNAVAILABLE'));
    expect(proxy.proxy.exits.SHARED.stats).toMatchObject([{ state: 'HEALTHY', failures: 0 }]);
  },
);
