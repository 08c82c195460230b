import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { NANO, PRICE_PER_BYTE } from '../../src/units.ts';
import { balanceOf, ledgerCheck, nano, newCustomer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { hasPostgres, hasRedis, postgres, redis } from '../harness/services.ts';
import { openUsageStream } from '../harness/usageStream.ts';
import { link, mutate, walletCustomer } from './merge/customers.ts';
import { hold, startTraffic, type Route } from './merge/traffic.ts';

const CREDIT = 1_000n * NANO;
/** Downloads on every route before and after the merge. */
const DOWNLOADS = 30;
/** Settlements of a key: enough for everybody to have looked twice whether it still may flow. */
const SETTLEMENTS = 8;
const LONG_BYTES = 3_000_000;
const CUT_OFF_MS = 2_000;

let origin: Origin;
beforeAll(async () => void (origin = await startOrigin()));
afterAll(() => origin[Symbol.asyncDispose]());

interface Fleet extends AsyncDisposable {
  readonly servers: readonly [TestServer, ...TestServer[]];
}

const alone = async (): Promise<Fleet> => {
  const server = await startServer();
  return { servers: [server], [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
};
const two = (withRedis: boolean) => async (): Promise<Fleet> => {
  const database = await postgres();
  const events = withRedis ? await redis() : undefined;
  const env = { DATABASE_URL: await database?.createDatabase(), REDIS_URL: events?.url };
  const servers = await Promise.all([startServer({ env }), startServer({ env })]);
  const parts = [...servers, events, database];
  return {
    servers,
    async [Symbol.asyncDispose]() {
      for (const part of parts) await part?.[Symbol.asyncDispose]();
    },
  };
};

describe('one server', () => merging(alone));
describe.skipIf(!hasPostgres())('two servers on one PostgreSQL, without Redis', () => merging(two(false)));
describe.skipIf(!hasPostgres() || !hasRedis())('two servers, with Redis', () => merging(two(true)));

function merging(start: () => Promise<Fleet>): void {
  let fleet: Fleet;
  let first: TestServer;
  let last: TestServer;
  beforeAll(async () => {
    fleet = await start();
    [first] = fleet.servers;
    last = fleet.servers.at(-1) ?? first;
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  test('two accounts under traffic: credit, keys, usage and leases add up, and every byte goes on', async () => {
    const wallet = privateKeyToAccount(generatePrivateKey());
    const old = await walletCustomer(first, wallet);
    const mine = await newCustomer(first, CREDIT);
    const before = origin.count();
    const routes = [old.key, mine.key].flatMap((key) => fleet.servers.map((server): Route => ({ key, server })));
    const stream = { transport: 'websocket', http: last.ready.http } as const;
    await using oldStream = await openUsageStream({ ...stream, token: old.key });
    await using myStream = await openUsageStream({ ...stream, token: mine.token });
    // Open from before the merge until after it.
    const long = await Promise.all(routes.map((route) => hold(route, origin, LONG_BYTES, 100_000)));
    const traffic = startTraffic([...routes, ...routes], origin);
    await traffic.more(DOWNLOADS);
    expect(await link(first, mine, wallet)).toMatchObject({ success: true, merged: true });
    await traffic.more(DOWNLOADS);

    for (const received of await Promise.all(long.map((held) => held.finish())))
      expect(received).toBeGreaterThan(LONG_BYTES);
    expect(await traffic.stop()).toEqual([]);
    await origin.idle();

    const moved = origin.count();
    const spent = (moved.up - before.up + moved.down - before.down) * PRICE_PER_BYTE.SHARED;
    await expect.poll(() => balanceOf(first, mine.key), { timeout: 10_000 }).toBe(2n * CREDIT - spent);
    for (const server of fleet.servers)
      for (const key of [old.key, mine.key]) {
        // Another server that hears of nothing asks for credentials again within this.
        await expect.poll(() => balanceOf(server, key), { timeout: CUT_OFF_MS }).toBe(2n * CREDIT - spent);
        await expectView(server, key, { balance: 2n * CREDIT - spent, spent });
      }
    await expectStreams(oldStream, myStream, 2n * CREDIT - spent);
    expect(await ledgerCheck(first)).toEqual({ drift: '0', violations: [] });
    await expectNothingLent(first);
  }, 60_000);

  test('tunnels of a key that moved obey its new account: its limits and its revocation', async () => {
    const wallet = privateKeyToAccount(generatePrivateKey());
    const old = await walletCustomer(first, wallet);
    const mine = await newCustomer(first, CREDIT);
    const revoked = await endlessStream(last.ready.socksShared, old.key, origin);
    await revoked.flowing;
    await using stream = await openUsageStream({ transport: 'sse', http: last.ready.http, token: mine.token });
    await link(first, mine, wallet);
    await stream.until(({ events }) => events.filter(({ apiKey }) => apiKey?.id === old.keyId).length >= SETTLEMENTS);
    const so = revoked.received();
    await expect.poll(() => revoked.received()).toBeGreaterThan(so);
    let started = Date.now();
    await mutate(first, mine, 'revokeApiKey(input: { id: $id })', { id: old.keyId });
    await revoked.ended;
    expect(Date.now() - started).toBeLessThan(CUT_OFF_MS);

    const limited = await endlessStream(last.ready.socksShared, mine.key, origin);
    await limited.flowing;
    started = Date.now();
    await mutate(first, mine, 'updateLimits(input: { dailyLimit: "0" })', {});
    await limited.ended;
    expect(Date.now() - started).toBeLessThan(CUT_OFF_MS);
    expect(await ledgerCheck(first)).toEqual({ drift: '0', violations: [] });
  }, 60_000);
}

/** What a key sees of the account: both keys, all of the usage and every transaction. */
async function expectView(server: TestServer, key: string, { balance, spent }: { balance: bigint; spent: bigint }) {
  const { data } = await server.graphql<{ viewer: { user: View } }>(
    `{ viewer { user { balance apiKeyList { name active } balanceSummary { type total }
       transactions(first: 100) { totalCount totalAmount edges { node { amount type } } }
       usageByDay(days: 2) { credits } limits { monthly { used } } } } }`,
    {},
    key,
  );
  const user = data?.viewer.user;
  const amounts = user?.transactions.edges.map(({ node }) => nano(node.amount)) ?? [];
  const days = user?.usageByDay.map(({ credits }) => nano(credits)) ?? [];
  const summary = user?.balanceSummary.map(({ total }) => nano(total)) ?? [];
  const sum = (all: readonly bigint[]): bigint => all.reduce((total, amount) => total + amount, 0n);
  expect(user?.apiKeyList).toHaveLength(2);
  expect([nano(user?.balance), nano(user?.transactions.totalAmount), sum(amounts), sum(summary)]).toEqual(
    Array.from({ length: 4 }, () => balance),
  );
  expect(user?.transactions.totalCount).toBe(amounts.length);
  expect([sum(days), nano(user?.limits.monthly.used)]).toEqual([spent, spent]);
}

interface View {
  readonly balance: string;
  readonly apiKeyList: readonly { readonly name: string }[];
  readonly balanceSummary: readonly { readonly total: string }[];
  readonly transactions: {
    readonly totalCount: number;
    readonly totalAmount: string;
    readonly edges: readonly { readonly node: { readonly amount: string } }[];
  };
  readonly usageByDay: readonly { readonly credits: string }[];
  readonly limits: { readonly monthly: { readonly used: string } };
}

type Stream = Awaited<ReturnType<typeof openUsageStream>>;

/** The old account's numbers end with the merge; the new one's go on without a gap to the balance of now. */
async function expectStreams(old: Stream, mine: Stream, balance: bigint): Promise<void> {
  await expect.poll(() => old.ended(), { timeout: 10_000 }).toBe('completed');
  old.totals();
  expect(old.events.findLast(({ fromSeq }) => fromSeq !== undefined)).toMatchObject({ kind: 'MERGE', balance: '0' });
  await mine.until(({ events }) => nano(events.findLast((event) => event.balance !== undefined)?.balance) === balance);
  mine.totals();
  expect(mine.events.filter(({ kind }) => kind === 'MERGE')).toHaveLength(1);
  expect(mine.ended()).toBeUndefined();
}

async function expectNothingLent(server: TestServer): Promise<void> {
  const reserved = async (): Promise<string | undefined> => {
    const { body } = await server.rest<string>('GET', '/metrics');
    return /^passerelle_reserved_nanocredits (\S+)$/m.exec(body)?.[1];
  };
  await expect.poll(reserved, { timeout: 10_000 }).toBe('0');
}
