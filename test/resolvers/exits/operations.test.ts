import { Writable } from 'node:stream';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { ViewerContext } from '../../../src/context.ts';
import { sql } from '../../../src/database/sql.ts';
import { createLogger } from '../../../src/log.ts';
import { MAX_EXITS } from '../../../src/proxy/exits/config.ts';
import { addExit } from '../../../src/resolvers/exits/addExit.ts';
import { assignExit } from '../../../src/resolvers/exits/assignExit.ts';
import { drainExit } from '../../../src/resolvers/exits/drainExit.ts';
import { removeExit } from '../../../src/resolvers/exits/removeExit.ts';
import { merge } from '../../../src/resolvers/ledger/merge.ts';
import { encodeNodeId } from '../../../src/schema/ids.ts';
import {
  asSession,
  makeAccount,
  openTestServices,
  recordsOf,
  run,
  type TestAccount,
  type TestServices,
} from '../../harness/context.ts';

const PASSWORD = 'upstream-canary';
const CLEAR = sql('testClearExits', 'delete from proxy_exit');
const CHANGED = sql('testExitsChanged', 'update exit_version set version = version + 1');
const VERSION = sql('testExitsVersion', 'select version from exit_version');
const ROWS = sql('testExitRows', 'select product, label, spec, drained from proxy_exit order by id');
const FILL = sql(
  'testFillExits',
  `insert into proxy_exit (product, label, spec) select 2, 'http://h' || n || ':1', '\\x00' from generate_series(1, $1::int) n`,
);

let services: TestServices;
let admin: TestAccount;
let operator: ViewerContext;
beforeAll(async () => {
  services = await openTestServices();
  admin = await makeAccount(services, { role: 'ADMIN' });
  operator = asSession(services, admin.user);
});
afterAll(() => services[Symbol.asyncDispose]());
beforeEach(async () => {
  await services.db.query(CLEAR);
  await services.db.query(CHANGED);
  await services.exits.refresh();
});

const add = (url: string, userIds: readonly bigint[] = [], product: 'SHARED' | 'DEDICATED' = 'DEDICATED') =>
  addExit(operator, { product, url, userIds });
const labels = () => services.exits.list().map(({ product, label }) => `${product} ${label}`);
const direct = () => services.exits.name('DEDICATED', 'direct');
const version = async () => (await services.db.query<{ version: bigint }>(VERSION))[0]?.version;
const acts = async () => (await recordsOf(services, admin.user.id)).filter(({ action }) => action.startsWith('EXIT_'));

test('what was changed is answered, also when the exits cannot be read again', async () => {
  const { user } = await makeAccount(services);
  /** The operator, on an instance that reads the exits once and not again. */
  const unlucky = (): ViewerContext => {
    let reads = 0;
    const refresh = () => (++reads > 1 ? Promise.reject(new Error('away')) : services.exits.refresh());
    return { ...operator, exits: { ...services.exits, list: () => services.exits.list(), refresh } };
  };
  const { exit } = await addExit(unlucky(), {
    product: 'DEDICATED',
    url: 'bind:127.0.0.9',
    userIds: [user.id, user.id],
  });
  const fresh = { label: 'bind:127.0.0.9', kind: 'BIND', origin: 'ADDED', product: 'DEDICATED', drained: false };
  expect(exit).toMatchObject({ ...fresh, accountIds: [user.id], connections: 0 });
  await services.exits.refresh();
  expect(services.exits.list()).toContainEqual(exit);
  expect((await drainExit(unlucky(), exit.name, true)).exit.drained).toBe(true);
  expect((await assignExit(unlucky(), exit.name, [])).exit.accountIds).toEqual([]);
  expect((await removeExit(unlucky(), exit.name)).exit.name).toBe(exit.name);
  await services.exits.refresh();
  expect(labels()).not.toContain('DEDICATED bind:127.0.0.9');
});

test('an exit that is added is there at once, last in its product, and on record without its password', async () => {
  const before = (await acts()).length;
  const { exit } = await add(` socks5://u%40x:${PASSWORD}@Proxy.Example:1080/ `);
  expect(exit).toMatchObject({
    product: 'DEDICATED',
    label: 'socks5://u%40x@proxy.example:1080',
    kind: 'SOCKS5',
    origin: 'ADDED',
    drained: false,
    accountIds: [],
  });
  expect(exit.name).toMatch(/^exit-[0-9a-f]{12}$/);
  expect(labels()).toEqual(['SHARED direct', 'DEDICATED direct', 'DEDICATED socks5://u%40x@proxy.example:1080']);
  const [record] = (await acts()).slice(before);
  expect(record).toMatchObject({
    action: 'EXIT_ADDED',
    detail: { exit: exit.name, product: 'DEDICATED', label: exit.label, users: [] },
  });
  const [row] = await services.db.query<{ spec: Uint8Array }>(ROWS);
  expect(Buffer.from(row?.spec ?? []).includes(PASSWORD)).toBe(false);
  expect(JSON.stringify([record, exit, services.published.at(-1)])).not.toContain(PASSWORD);
  expect(services.published.at(-1)?.name).toBe('exitsChanged');
});

test.each([
  ['', 'is empty'],
  [`ftp://u:${PASSWORD}@h:1`, 'must be `direct`'],
  [`socks5://u:${PASSWORD}@h`, 'must end in a host and a port'],
  [`socks5://u:${PASSWORD},x@h:1`, 'must '],
  [`http://u:${PASSWORD}@a:1,http://u:${PASSWORD}@b:1`, 'must be one exit'],
  ['bind:nowhere', 'must be `bind:`'],
])('%s is refused, and the password is not in the answer', async (url, message) => {
  const before = await version();
  const refused = await add(url).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'BAD_INPUT', field: 'url', message: expect.stringContaining(message) });
  expect(String(refused)).not.toContain(PASSWORD);
  expect(await version()).toBe(before);
});

test('the browser gateway has no exits', async () => {
  await expect(addExit(operator, { product: 'BROWSER', url: 'direct', userIds: [] })).rejects.toMatchObject({
    code: 'BAD_INPUT',
    field: 'product',
  });
});

test('one that is there already, configured or added, is a conflict whatever its password; in the other product it is not', async () => {
  await expect(add('direct')).rejects.toMatchObject({ code: 'NAME_TAKEN', field: 'url' });
  const tries = await Promise.allSettled(
    Array.from({ length: 10 }, (_, index) => add(`http://u:${PASSWORD}${index}@h:1`)),
  );
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const each of tries) if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'NAME_TAKEN' });
  const { exit } = await add(`http://u:${PASSWORD}@h:1`, [], 'SHARED');
  expect(services.exits.list().filter(({ label }) => label === exit.label)).toHaveLength(2);
  expect(new Set(services.exits.list().map(({ name }) => name)).size).toBe(4);
});

test('there are so many of a product at most', async () => {
  await services.db.query(FILL, [MAX_EXITS]);
  await expect(add('http://one.more:1')).rejects.toMatchObject({ code: 'EXIT_LIMIT_REACHED' });
});

describe.each(['CONFIGURED', 'ADDED'] as const)('an exit that is %s', (origin) => {
  let name: string;
  const state = () => services.exits.list().find((exit) => exit.name === name);
  beforeEach(async () => {
    name = origin === 'CONFIGURED' ? direct() : (await add('bind:127.0.0.9')).exit.name;
  });

  test('is drained and opened again; what is so already is no change', async () => {
    const before = (await acts()).length;
    expect((await drainExit(operator, name, true)).exit).toMatchObject({ name, origin, drained: true });
    const drained = await version();
    await drainExit(operator, name, true);
    expect(await version()).toBe(drained);
    expect((await drainExit(operator, name, false)).exit.drained).toBe(false);
    expect((await acts()).slice(before).map(({ action, detail }) => [action, detail['drained']])).toEqual([
      ['EXIT_DRAINED', true],
      ['EXIT_DRAINED', false],
    ]);
  });

  test('is reserved for accounts, each once, and for everybody again', async () => {
    const [one, two] = [await makeAccount(services), await makeAccount(services)];
    const ids = [two.user.id, one.user.id, two.user.id];
    expect((await assignExit(operator, name, ids)).exit.accountIds).toEqual([one.user.id, two.user.id]);
    const assigned = await version();
    await assignExit(operator, name, [one.user.id, two.user.id]);
    expect(await version()).toBe(assigned);
    expect((await assignExit(operator, name, [two.user.id])).exit.accountIds).toEqual([two.user.id]);
    expect((await assignExit(operator, name, [])).exit.accountIds).toEqual([]);
  });

  test('is not reserved for who is not there, or has become part of another account', async () => {
    const [gone, into] = [await makeAccount(services), await makeAccount(services)];
    await services.db.transaction((tx) => merge(tx, gone.user.id, into.user.id));
    const before = await version();
    for (const id of [999_999n, gone.user.id]) {
      await expect(assignExit(operator, name, [into.user.id, id])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect([await version(), state()?.accountIds]).toEqual([before, []]);
  });

  test('is removed if it was added', async () => {
    if (origin === 'CONFIGURED') {
      await expect(removeExit(operator, name)).rejects.toMatchObject({ code: 'EXIT_IS_CONFIGURED' });
      expect(state()).toBeDefined();
      return;
    }
    const before = (await acts()).length;
    expect((await removeExit(operator, name)).exit).toMatchObject({ name, label: 'bind:127.0.0.9' });
    expect(state()).toBeUndefined();
    expect((await acts()).slice(before)).toMatchObject([{ action: 'EXIT_REMOVED', detail: { exit: name } }]);
    await expect(removeExit(operator, name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(drainExit(operator, name, true)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

test('the log warns when a product has no exit left for everybody', async () => {
  const lines: string[] = [];
  const sink = new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) });
  const watched: ViewerContext = { ...operator, log: createLogger('warn', sink) };
  const { user } = await makeAccount(services);
  const { exit } = await add('bind:127.0.0.9');
  await drainExit(watched, direct(), true);
  expect(lines).toEqual([]);
  await drainExit(watched, exit.name, true);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ product: 'DEDICATED', exit: 'bind:127.0.0.9' });
  await drainExit(watched, exit.name, false);
  expect(lines).toHaveLength(1);
  await assignExit(watched, exit.name, [user.id]);
  expect(lines).toHaveLength(2);
});

test('an exit that is added for somebody was never anybody else’s', async () => {
  const { user } = await makeAccount(services);
  const { exit } = await add('bind:127.0.0.9', [user.id]);
  expect(exit.accountIds).toEqual([user.id]);
  await expect(add('bind:127.0.0.10', [999_999n])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(labels()).not.toContain('DEDICATED bind:127.0.0.10');
});

test('what is behind an exit is shown to the operator alone; its owner sees name, product, kind and state', async () => {
  const [owner, stranger] = [await makeAccount(services), await makeAccount(services)];
  const { exit } = await add(`http://login-canary:${PASSWORD}@host-canary:1`, [owner.user.id]);
  const id = encodeNodeId('Exit', exit.name);
  const introspection = await run(
    operator,
    '{ __type(name: "Exit") { fields { name type { kind ofType { kind } } } } }',
  );
  const type = introspection.data?.['__type'] as { fields: { name: string }[] };
  const hidden = type.fields
    .map(({ name }) => name)
    .filter((name) => !['id', 'name', 'product', 'kind', 'state'].includes(name));
  expect(hidden.length).toBeGreaterThan(9);
  const below: Record<string, string> = { users: '{ id }', lastError: '{ detail }' };
  const selectionOf = (name: string): string => `${name} ${below[name] ?? ''}`;

  const own = await run(owner.ctx, '{ viewer { user { exits { id name product kind state } } } }');
  expect(own).toEqual({
    data: {
      viewer: { user: { exits: [{ id, name: exit.name, product: 'DEDICATED', kind: 'HTTP', state: 'HEALTHY' }] } },
    },
  });
  expect(JSON.stringify(own)).not.toMatch(/canary/);
  const others = await run(stranger.ctx, '{ viewer { user { exits { id } } } }');
  expect(others).toEqual({ data: { viewer: { user: { exits: [] } } } });
  for (const field of hidden) {
    const asked = await run(owner.ctx, `{ viewer { user { exits { ${selectionOf(field)} } } } }`);
    expect(asked.errors?.[0]?.originalError).toMatchObject({ code: 'FORBIDDEN' });
    expect(JSON.stringify(asked)).not.toMatch(/canary/);
  }
  const all = await run(operator, `{ exits(product: DEDICATED) { ${hidden.map(selectionOf).join(' ')} } }`);
  expect(all).toMatchObject({
    data: {
      exits: [
        { label: 'direct', origin: 'CONFIGURED', users: [] },
        {
          label: 'http://login-canary@host-canary:1',
          origin: 'ADDED',
          drained: false,
          users: [{ id: encodeNodeId('User', owner.user.id) }],
          ...{ connections: 0, opened: 0, failures: 0, lastError: null, latencyMs: null, retryAt: null },
        },
      ],
    },
  });
  expect(JSON.stringify(all)).not.toContain(PASSWORD);
});

test('through GraphQL: typed errors, and everything a customer asks is forbidden', async () => {
  const { ctx, user } = await makeAccount(services);
  const document = `mutation ($url: String!, $product: Product!, $ids: [ID!]) {
    addExit(input: { url: $url, product: $product, userIds: $ids }) {
      __typename ... on AddExitSuccess { exit { label users { id } } } ... on Error { code message } } }`;
  const by = async (who: ViewerContext, variables: object) =>
    (await run(who, document, { product: 'DEDICATED', ...variables })).data?.['addExit'];
  const url = `http://u:${PASSWORD}@h:1`;
  expect(await by(ctx, { url })).toMatchObject({ __typename: 'ForbiddenError', code: 'FORBIDDEN' });
  expect(await by(operator, { url: 'direct' })).toMatchObject({ __typename: 'ConflictError', code: 'NAME_TAKEN' });
  expect(await by(operator, { url, product: 'BROWSER' })).toMatchObject({ __typename: 'InputError' });
  const long = await by(operator, { url: `http://u:${PASSWORD}${'x'.repeat(2_000)}@h:1` });
  expect(long).toMatchObject({ __typename: 'InputError', code: 'BAD_INPUT' });
  expect(JSON.stringify(long)).not.toContain(PASSWORD);
  const ids = [encodeNodeId('User', user.id)];
  expect(await by(operator, { url, ids })).toEqual({
    __typename: 'AddExitSuccess',
    exit: { label: 'http://u@h:1', users: [{ id: ids[0] }] },
  });
  const removed = await run(operator, 'mutation { removeExit(input: { id: "x" }) { ... on Error { code } } }');
  expect(removed).toEqual({ data: { removeExit: { code: 'NOT_FOUND' } } });
});
