import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createApiKey } from '../../../src/resolvers/apiKeys/createApiKey.ts';
import { createKeyActivity, type KeyActivity } from '../../../src/resolvers/apiKeys/keyActivity.ts';
import { restrictionsOf } from '../../../src/resolvers/apiKeys/restrictions.ts';
import { updateApiKey } from '../../../src/resolvers/apiKeys/updateApiKey.ts';
import { createAuthenticator, type Authenticator } from '../../../src/resolvers/auth/authenticate.ts';
import { makeAccount, openTestServices, run, type TestServices } from '../../harness/context.ts';

let services: TestServices;
let activity: KeyActivity;
let auth: Authenticator;
let asked = 0;

beforeAll(async () => {
  services = await openTestServices();
  activity = createKeyActivity(services);
  const query: TestServices['db']['query'] = (statement, values) => {
    asked += 1;
    return services.db.query(statement, values);
  };
  const db = { ...services.db, query };
  auth = createAuthenticator({ ...services, db }, { cacheMs: () => 30_000, activity });
});
afterAll(async () => {
  auth.close();
  await activity.close();
  await services[Symbol.asyncDispose]();
});

const NOW = new Date('2026-01-01T00:00:00Z');

describe('an allow-list is kept in one spelling', () => {
  test.each([
    ['10.0.0.5', '10.0.0.5'],
    ['10.0.0.5/32', '10.0.0.5'],
    [' 10.1.2.3/8 ', '10.0.0.0/8'],
    ['192.168.1.77/27', '192.168.1.64/27'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::ffff:10.0.0.5', '10.0.0.5'],
    ['::ffff:10.0.0.5/112', '10.0.0.0/16'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:1:ffff::/45', '2001:db8::/45'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['::/0', '::/0'],
  ])('%s is %s', (given, kept) => {
    expect(restrictionsOf({ allowedIps: [given, given] }, NOW).allowedIps).toEqual([kept]);
  });

  test.each(['', 'example.com', '10.0.0', '010.0.0.1', '10.0.0.1/33', '10.0.0.1/', '10.0.0.1/8/8', '10.0.0.1/-1'])(
    '%j is refused',
    (text) => {
      const bad = expect.objectContaining({ code: 'BAD_INPUT', field: 'allowedIps' });
      expect(() => restrictionsOf({ allowedIps: ['10.0.0.1', text] }, NOW)).toThrow(bad);
    },
  );

  test.each(['2001:db8::/129', 'fe80::1%eth0', '::ffff:10.0.0.1/95', '::ffff:10.0.0.1/32', '[::1]'])(
    '%j is refused',
    (text) => {
      expect(() => restrictionsOf({ allowedIps: [text] }, NOW)).toThrow('allowedIps');
    },
  );

  test('it holds 50 items', () => {
    const list = (length: number): string[] => Array.from({ length }, (_, n) => `10.0.0.${n}`);
    expect(restrictionsOf({ allowedIps: list(50) }, NOW).allowedIps).toHaveLength(50);
    expect(() => restrictionsOf({ allowedIps: list(51) }, NOW)).toThrow('at most 50');
  });
});

test('absent stays, null lifts, and neither an empty list nor a time that has passed is taken', () => {
  expect(restrictionsOf({}, NOW)).toEqual({});
  expect(restrictionsOf({ scopes: null, expiresAt: null, allowedIps: null, products: null }, NOW)).toEqual({
    scopes: ['PROXY', 'READ', 'MANAGE'],
    expiresAt: null,
    allowedIps: [],
    products: [],
  });
  expect(restrictionsOf({ scopes: ['MANAGE', 'PROXY', 'MANAGE'], products: ['BROWSER', 'SHARED'] }, NOW)).toEqual({
    scopes: ['PROXY', 'MANAGE'],
    products: ['SHARED', 'BROWSER'],
  });
  for (const list of ['scopes', 'allowedIps', 'products'])
    expect(() => restrictionsOf({ [list]: [] }, NOW)).toThrow(`${list}: must hold at least one`);
  expect(() => restrictionsOf({ expiresAt: NOW }, NOW)).toThrow('expiresAt');
});

test('a key is made, shown and changed with its restrictions', async () => {
  const { ctx } = await makeAccount(services);
  const fields = 'scopes allowedIps products expiresAt expired showTargets secrets { preview expiresAt }';
  const create = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
    ... on CreateApiKeySuccess { secret apiKey { id ${fields} } } ... on InputError { code field } } }`;
  const expiresAt = '2099-12-31T23:59:59.000Z';
  const input = {
    name: 'k',
    scopes: ['READ'],
    allowedIps: ['127.0.0.0/8'],
    products: ['DEDICATED'],
    expiresAt,
    showTargets: true,
  };
  const made = await run(ctx, create, { input });
  const { createApiKey: created } = made.data as { createApiKey: { apiKey: { id: string }; secret: string } };
  const { apiKey, secret } = created;
  const secrets = [{ preview: `${secret.slice(0, 8)}...`, expiresAt: null }];
  const { name: _name, ...restrictions } = input;
  expect(apiKey).toEqual({ id: apiKey.id, ...restrictions, expired: false, secrets });
  const update = `mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) {
    ... on UpdateApiKeySuccess { apiKey { ${fields} } } ... on InputError { code field } } }`;
  const lifted = await run(ctx, update, { input: { id: apiKey.id, scopes: null, expiresAt: null, showTargets: null } });
  expect(lifted.data?.['updateApiKey']).toEqual({
    apiKey: {
      ...restrictions,
      scopes: ['PROXY', 'READ', 'MANAGE'],
      expiresAt: null,
      expired: false,
      showTargets: false,
      secrets,
    },
  });
  for (const wrong of [{ scopes: [] }, { expiresAt: '2020-01-01T00:00:00Z' }, { allowedIps: ['x'] }]) {
    const refused = await run(ctx, update, { input: { id: apiKey.id, ...wrong } });
    expect(refused.data?.['updateApiKey']).toEqual({ code: 'BAD_INPUT', field: Object.keys(wrong)[0] });
  }
});

describe('at the door', () => {
  const HERE = '127.0.0.1';
  const restricted = async (input: Omit<Parameters<typeof createApiKey>[1], 'name'>) => {
    const account = await makeAccount(services);
    return { account, ...(await createApiKey(account.ctx, { name: 'restricted', ...input })) };
  };

  test('only who comes from the list gets in, IPv4-mapped or not', async () => {
    const { secret } = await restricted({ allowedIps: ['127.0.0.0/30', '2001:db8::/32'] });
    for (const from of [HERE, '127.0.0.3', '2001:db8::7', '::ffff:127.0.0.1']) {
      expect(await auth.bearer(secret, from)).toMatchObject({ kind: 'KEY' });
      expect(await auth.proxyKey(secret, from, 'SHARED')).not.toHaveProperty('denial');
    }
    for (const from of ['127.0.0.4', '2001:db9::', '']) {
      await expect(auth.bearer(secret, from)).rejects.toMatchObject({ code: 'ADDRESS_NOT_ALLOWED', status: 403 });
      expect(await auth.proxyKey(secret, from, 'SHARED')).toMatchObject({
        denial: { code: 'NOT_ALLOWED', message: expect.stringContaining('address') },
      });
    }
  });

  test('a key without PROXY or the product is denied by the proxy, one without READ by the API', async () => {
    const reader = await restricted({ scopes: ['READ'] });
    expect(await auth.proxyKey(reader.secret, HERE, 'SHARED')).toMatchObject({
      denial: { code: 'NOT_ALLOWED', message: expect.stringContaining('PROXY') },
    });
    expect(await auth.bearer(reader.secret, HERE)).toMatchObject({ scopes: ['READ'] });
    const carrier = await restricted({ scopes: ['PROXY'], products: ['DEDICATED'] });
    await expect(auth.bearer(carrier.secret, HERE)).rejects.toMatchObject({ code: 'INSUFFICIENT_SCOPE', status: 403 });
    expect(await auth.proxyKey(carrier.secret, HERE, 'SHARED')).toMatchObject({
      denial: { code: 'NOT_ALLOWED', message: expect.stringContaining('product') },
    });
    expect(await auth.proxyKey(carrier.secret, HERE, 'DEDICATED')).not.toHaveProperty('denial');
  });

  test('READ reads and changes nothing; MANAGE reads too', async () => {
    const { account, secret } = await restricted({ scopes: ['READ'] });
    const reading = { ...account.ctx, viewer: await auth.bearer(secret, HERE) };
    expect((await run(reading, '{ viewer { user { balance } } }')).errors).toBeUndefined();
    const change = 'mutation { updateLimits(input: { dailyLimit: "1" }) { ... on Error { code } } }';
    expect((await run(reading, change)).data?.['updateLimits']).toEqual({ code: 'INSUFFICIENT_SCOPE' });
    const manager = await createApiKey(account.ctx, { name: 'manager', scopes: ['MANAGE'] });
    const managing = { ...account.ctx, viewer: await auth.bearer(manager.secret, HERE) };
    const read = await run(managing, 'query ($id: ID!) { node(id: $id) { id } viewer { user { id } } }', {
      id: Buffer.from(`ApiKey:${account.apiKey.id}`).toString('base64'),
    });
    expect(read.errors).toBeUndefined();
    expect((await run(managing, change)).data?.['updateLimits']).not.toHaveProperty('code');
  });

  test('a restricted key that is known costs no statement, and keeps one object for its watch', async () => {
    const { account, apiKey, secret } = await restricted({ allowedIps: ['127.0.0.0/8'], products: ['SHARED'] });
    const first = await auth.proxyKey(secret, HERE, 'SHARED');
    asked = 0;
    const again = auth.proxyKey(secret, '127.0.0.9', 'SHARED');
    const denied = auth.proxyKey(secret, HERE, 'DEDICATED');
    expect(again).toBe(first);
    expect(denied).toMatchObject({ key: 'key' in first ? first.key : undefined, denial: { code: 'NOT_ALLOWED' } });
    await auth.bearer(secret, HERE);
    expect(asked).toBe(0);
    await updateApiKey(account.ctx, apiKey.id, { products: null });
    expect(await auth.proxyKey(secret, HERE, 'DEDICATED')).not.toHaveProperty('denial');
    expect(asked).toBe(1);
  });

  test('an expired key is refused as such, and comes back with a later end', async () => {
    const { account, apiKey, secret } = await restricted({});
    await updateApiKey(account.ctx, apiKey.id, { expiresAt: new Date(Date.now() + 500) });
    expect(await auth.proxyKey(secret, HERE, 'SHARED')).toHaveProperty('key');
    const expired = { refusal: 'KEY_EXPIRED', keyId: apiKey.id };
    await expect.poll(async () => auth.proxyKey(secret, HERE, 'SHARED'), { interval: 20 }).toEqual(expired);
    await expect(auth.bearer(secret, HERE)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
    await updateApiKey(account.ctx, apiKey.id, { expiresAt: null });
    expect(await auth.proxyKey(secret, '127.0.0.2', 'SHARED')).toHaveProperty('key');
  });
});
