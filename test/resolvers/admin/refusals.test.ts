import { afterAll, beforeAll, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import {
  listRefusals,
  pruneRefusals,
  refusalsOfKey,
  type RefusalFilter,
} from '../../../src/resolvers/admin/refusals.ts';
import { createKeyActivity } from '../../../src/resolvers/apiKeys/keyActivity.ts';
import { encodeNodeId } from '../../../src/schema/ids.ts';
import { makeAccount, openTestServices, run, type TestAccount, type TestServices } from '../../harness/context.ts';

const DAY_MS = 86_400_000;

const ANY: RefusalFilter = { userId: null, code: null };
const ALL = sql(
  'testRefusals',
  `select code, day, count, first_at, last_at from refusal_day where key_id = $1
  order by day, code`,
);
const INSERT = sql(
  'testRefusalInsert',
  `insert into refusal_day (key_id, code, day, count, first_at, last_at) values ($1, $2, $3::date, 1, $4, $4)`,
);

let now = new Date('2027-02-02T12:00:00.000Z');
let services: TestServices;
let owner: TestAccount;
let stranger: TestAccount;
beforeAll(async () => {
  services = await openTestServices(() => now);
  owner = await makeAccount(services);
  stranger = await makeAccount(services);
});
afterAll(() => services[Symbol.asyncDispose]());

test('refusals are counted per key, reason and UTC day, in the batch that notes the last one', async () => {
  const activity = createKeyActivity(services);
  const key = owner.apiKey.id;
  const at = (iso: string): void => void (now = new Date(iso));
  at('2027-02-01T23:59:59.900Z');
  for (let n = 0; n < 1000; n += 1) activity.refused(key, 'OUT_OF_CREDIT');
  at('2027-02-01T23:59:59.999Z');
  activity.refused(key, 'OUT_OF_CREDIT');
  activity.refused(key, 'LIMIT_DAY');
  activity.used(stranger.apiKey.id);
  at('2027-02-02T00:00:00.000Z');
  activity.refused(key, 'OUT_OF_CREDIT');
  await activity.flush();
  at('2027-02-02T00:00:00.500Z');
  activity.refused(key, 'OUT_OF_CREDIT');
  activity.refused(stranger.apiKey.id, 'THROTTLED');
  activity.refused(999_999n, 'THROTTLED');
  await activity.close();
  const time = (text: string): Date => new Date(text);
  const late = time('2027-02-01T23:59:59.999Z');
  expect(await services.db.query(ALL, [key])).toEqual([
    { code: 'LIMIT_DAY', day: '2027-02-01', count: 1n, first_at: late, last_at: late },
    {
      code: 'OUT_OF_CREDIT',
      day: '2027-02-01',
      count: 1001n,
      first_at: time('2027-02-01T23:59:59.900Z'),
      last_at: late,
    },
    {
      ...{ code: 'OUT_OF_CREDIT', day: '2027-02-02', count: 2n },
      ...{ first_at: time('2027-02-02T00:00:00.000Z'), last_at: time('2027-02-02T00:00:00.500Z') },
    },
  ]);
  expect(await services.db.query(ALL, [999_999n])).toEqual([]);
});

test('two servers that count the same keys at once lose nothing', async () => {
  const keys = [owner.apiKey.id, stranger.apiKey.id];
  now = new Date('2027-01-20T12:00:00.000Z');
  const servers = [1, 2, 3, 4].map(() => createKeyActivity(services));
  for (const [index, server] of servers.entries())
    for (const key of index % 2 === 0 ? keys : keys.toReversed())
      for (let n = 0; n < 25; n += 1) server.refused(key, 'CONNECTION_LIMIT');
  await Promise.all(servers.map((server) => server.close()));
  for (const key of keys) {
    const rows = await services.db.query<{ day: string; count: bigint }>(ALL, [key]);
    expect(rows.find(({ day }) => day === '2027-01-20')).toMatchObject({ code: 'CONNECTION_LIMIT', count: 100n });
  }
});

test('the operator sees them all, the last first, page by page', async () => {
  const shown = async (filter: Partial<RefusalFilter>, args = {}) => {
    const { edges } = await listRefusals(services, args, { ...ANY, ...filter });
    return edges.map(({ node }) => [node.apiKey.id === owner.apiKey.id ? 'own' : 'other', node.code, node.day]);
  };
  const all = [
    ['other', 'THROTTLED', '2027-02-02'],
    ['own', 'OUT_OF_CREDIT', '2027-02-02'],
    ['own', 'LIMIT_DAY', '2027-02-01'],
    ['own', 'OUT_OF_CREDIT', '2027-02-01'],
    ['other', 'CONNECTION_LIMIT', '2027-01-20'],
    ['own', 'CONNECTION_LIMIT', '2027-01-20'],
  ];
  expect(await shown({})).toEqual(all);
  expect(await shown({ userId: owner.user.id })).toEqual(all.filter(([whose]) => whose === 'own'));
  expect(await shown({ code: 'OUT_OF_CREDIT' })).toEqual(all.filter(([, code]) => code === 'OUT_OF_CREDIT'));
  const walked: unknown[] = [];
  for (let after: string | null = null; ;) {
    const page = await listRefusals(services, { first: 1, after }, ANY);
    walked.push(...page.edges.map(({ node }) => [node.code, node.day]));
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  expect(walked).toEqual(all.map(([, code, day]) => [code, day]));
  const { edges, pageInfo } = await listRefusals(services, { last: 2 }, ANY);
  expect(edges.map(({ node }) => [node.code, node.day])).toEqual(walked.slice(-2));
  expect((await listRefusals(services, { last: 1, before: pageInfo.startCursor }, ANY)).edges[0]?.node).toMatchObject({
    code: 'OUT_OF_CREDIT',
    day: '2027-02-01',
    count: 1001n,
    user: { id: owner.user.id },
  });
  for (const forged of ['9999999999999999:1', '-1:1', '0:9223372036854775807']) {
    const after = Buffer.from(forged).toString('base64url');
    expect((await listRefusals(services, { after }, ANY)).edges.length).toBeLessThanOrEqual(all.length);
  }
});

test('owners see those of their keys, through GraphQL', async () => {
  now = new Date('2027-02-02T12:00:00.000Z');
  const source = `query ($id: ID!, $days: Int!) { apiKey(id: $id) { refusals(days: $days) { code day count lastAt } } }`;
  const ask = (account: TestAccount, days: number) =>
    run(account.ctx, source, { id: encodeNodeId('ApiKey', owner.apiKey.id), days });
  const today = { code: 'OUT_OF_CREDIT', day: '2027-02-02', count: '2', lastAt: '2027-02-02T00:00:00.500Z' };
  const late = { day: '2027-02-01', lastAt: '2027-02-01T23:59:59.999Z' };
  expect(await ask(owner, 1)).toEqual({ data: { apiKey: { refusals: [today] } } });
  expect(await ask(owner, -5)).toEqual({ data: { apiKey: { refusals: [today] } } });
  expect(await ask(owner, 7)).toEqual({
    data: {
      apiKey: {
        refusals: [
          today,
          { ...late, code: 'LIMIT_DAY', count: '1' },
          { ...late, code: 'OUT_OF_CREDIT', count: '1001' },
        ],
      },
    },
  });
  expect((await ask(owner, 1_000_000)).data).toMatchObject({ apiKey: { refusals: { length: 4 } } });
  expect((await ask(stranger, 7)).errors?.[0]?.originalError).toMatchObject({ code: 'NOT_FOUND' });
});

test('they are kept for 90 days, today included', async () => {
  const account = await makeAccount(services);
  const startOfToday = new Date().setUTCHours(0, 0, 0, 0);
  const at = (days: number, ms = 0): string => new Date(startOfToday - days * DAY_MS + ms).toISOString();
  const insert = async (last: string): Promise<unknown> =>
    services.db.query(INSERT, [account.apiKey.id, 'THROTTLED', last.slice(0, 10), last]);
  for (const last of [at(89, -1), at(89), at(0)]) await insert(last);
  const kept = [at(89), at(0)].map((last) => last.slice(0, 10));
  now = new Date();
  const shown = await refusalsOfKey({ ...services, now: () => now }, account.apiKey.id, 90);
  expect(shown.map(({ day }) => day)).toEqual(kept.toReversed());
  while ((await pruneRefusals(services.db, 1)) === 1);
  const left = await services.db.query<{ day: string }>(ALL, [account.apiKey.id]);
  expect(left.map(({ day }) => day)).toEqual(kept);
});
