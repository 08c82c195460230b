import { afterAll, beforeAll, expect, test } from 'vitest';

import { PRICE_PER_BYTE } from '../../src/units.ts';
import { balanceOf, ledgerCheck, newCustomer } from '../harness/customer.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { startUdpPeer, UdpClient } from '../proxy/udp/fixture.ts';

const PRICE = PRICE_PER_BYTE.SHARED;

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const open = (key: string): Promise<UdpClient> =>
  UdpClient.open(Number(server.ready.socksShared?.split(':').at(-1)), { username: key });

test('datagrams of many sizes are billed as the target counted them', async () => {
  const credit = 10n ** 9n;
  const customer = await newCustomer(server, credit);
  await using target = await startUdpPeer();
  {
    await using client = await open(customer.key);
    for (let count = 0; count < 300; count++) {
      const payload = Buffer.alloc((count * 131) % 9_000, count);
      client.send(payload, target.port);
      expect((await client.receive()).payload.equals(payload)).toBe(true);
    }
  }
  expect(target.received).toHaveLength(300);
  const bytes = BigInt(target.bytes.in + target.bytes.out);
  await expect.poll(() => balanceOf(server, customer.key), { timeout: 10_000 }).toBe(credit - bytes * PRICE);
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});

test('an association that was silent for a while goes on: nothing is lost while credit is asked for', async () => {
  const customer = await newCustomer(server, 10n ** 9n);
  await using target = await startUdpPeer();
  await using client = await open(customer.key);
  for (const text of ['before', 'after']) {
    client.send(text, target.port);
    expect((await client.receive()).payload.toString()).toBe(text);
    // Two beats without use: the lease has gone back.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
  }
});

test('credit for N datagrams lets N through, then the association ends and the reason is on the key', async () => {
  const count = 37n;
  const customer = await newCustomer(server, (count * 1_000n + 999n) * PRICE);
  await using target = await startUdpPeer(() => []);
  await using client = await open(customer.key);
  let over = false;
  void client.control.over.then(() => (over = true));
  while (!over) {
    client.send(Buffer.alloc(1_000), target.port);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(target.received).toHaveLength(Number(count));
  await expect.poll(() => balanceOf(server, customer.key), { timeout: 10_000 }).toBe(999n * PRICE);
  const query = '{ viewer { apiKey { lastRefusal { code } } } }';
  const code = async (): Promise<string | undefined> =>
    (await server.graphql<{ viewer: { apiKey: { lastRefusal: { code: string } | null } } }>(query, {}, customer.key))
      .data?.viewer.apiKey.lastRefusal?.code;
  await expect.poll(code, { timeout: 5_000 }).toBe('OUT_OF_CREDIT');
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});
