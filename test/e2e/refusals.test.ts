import { afterAll, beforeAll, expect, test } from 'vitest';

import { newCustomer } from '../harness/customer.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { openRefusalStream } from '../harness/refusalStream.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { connectThrough } from '../harness/tunnel.ts';

let origin: Origin;
let server: TestServer;
beforeAll(async () => {
  origin = await startOrigin();
  server = await startServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

test('a customer sees within two seconds which client is refused, on which port and why', async () => {
  const customer = await newCustomer(server, 0n);
  await using stream = await openRefusalStream({ transport: 'sse', http: server.ready.http, token: customer.token });
  const { socksShared, socksDedicated } = server.ready;
  const refused = async (proxy: string, key: string, host: string, from: string): Promise<string> => {
    const failed = await connectThrough(proxy, key, host, origin.port, from).catch((error: unknown) => error);
    return (failed as Error).message;
  };
  const started = Date.now();
  expect(await refused(socksDedicated, customer.key, '127.0.0.1', '127.0.0.8')).toBe('connect refused with 2');
  expect(await refused(socksShared, `${customer.key}-colour-red`, '127.0.0.1', '127.0.0.9')).toBe(
    'login refused with 1',
  );
  await refused(socksShared, `lpf_${'f'.repeat(32)}`, '127.0.0.1', '127.0.0.10');
  await stream.until(() => stream.deltas().length === 2);
  expect(Date.now() - started).toBeLessThan(2_000);
  const apiKey = { id: customer.keyId };
  expect(stream.deltas().toSorted((a, b) => (a.code ?? '').localeCompare(b.code ?? ''))).toMatchObject([
    { apiKey, code: 'BAD_USERNAME', count: '1', product: 'SHARED', clientAddress: '127.0.0.9' },
    { apiKey, code: 'OUT_OF_CREDIT', count: '1', product: 'DEDICATED', clientAddress: '127.0.0.8' },
  ]);
});
