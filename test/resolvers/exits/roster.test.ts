import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import type { ViewerContext } from '../../../src/context.ts';
import { deriveKeys } from '../../../src/crypto.ts';
import { sql } from '../../../src/database/sql.ts';
import { createLogger } from '../../../src/log.ts';
import type { ExitPool } from '../../../src/proxy/exits/pool.ts';
import { addExit } from '../../../src/resolvers/exits/addExit.ts';
import { assignExit } from '../../../src/resolvers/exits/assignExit.ts';
import { drainExit } from '../../../src/resolvers/exits/drainExit.ts';
import { removeExit } from '../../../src/resolvers/exits/removeExit.ts';
import { linkWallet } from '../../../src/resolvers/wallets/linkWallet.ts';
import { asSession, makeAccount, openTestServices, type TestServices } from '../../harness/context.ts';
import { openExits, type TestExits } from '../../harness/exits.ts';
import { newClient, signChallenge } from '../../harness/wallet.ts';
import { walletAccount } from '../wallets/history.ts';

const CLEAR = sql('testClearExits', 'delete from proxy_exit');
const CHANGED = sql('testExitsChanged', 'update exit_version set version = version + 1');
const ASSIGNED = sql('testExitAccounts', 'select account_id::text as id from exit_account order by account_id');

let services: TestServices;
let operator: ViewerContext;
beforeAll(async () => {
  services = await openTestServices();
  operator = asSession(services, (await makeAccount(services, { role: 'ADMIN' })).user);
});
afterAll(() => services[Symbol.asyncDispose]());
beforeEach(async () => {
  await services.db.query(CLEAR);
  await services.db.query(CHANGED);
  await services.exits.refresh();
});

const add = (url: string, userIds: readonly bigint[] = []) => addExit(operator, { product: 'DEDICATED', url, userIds });
const shown = (exits: TestExits) =>
  exits.list().map(({ label, origin, drained, accountIds }) => ({ label, origin, drained, accountIds }));
const pick = (pool: ExitPool, accountId: bigint) =>
  pool.pick({ accountId, keyId: 1n, session: undefined }, ['192.0.2.1'], new Set(), 0)?.spec;

test('an instance that starts has what was said before, of configured exits too, under the same names', async () => {
  const { user } = await makeAccount(services);
  await drainExit(operator, services.exits.name('DEDICATED', 'direct'), true);
  const { exit } = await add('http://u:secret@h:1', [user.id]);
  const restarted = openExits(services);
  await restarted.start();
  expect(shown(restarted)).toEqual(shown(services.exits));
  expect(restarted.list().map(({ name }) => name)).toEqual(services.exits.list().map(({ name }) => name));
  expect(pick(restarted.pools.DEDICATED, user.id)).toMatchObject({ label: exit.label, login: { password: 'secret' } });
  expect(pick(restarted.pools.DEDICATED, 999n)).toBeUndefined();
  restarted.close();
});

test('what was said of an exit that is not configured here is kept, and holds where it is', async () => {
  const configured = openExits(services, { dedicated: 'direct,bind:127.0.0.7' });
  await configured.refresh();
  const there: ViewerContext = { ...operator, exits: configured };
  await drainExit(there, configured.name('DEDICATED', 'bind:127.0.0.7'), true);
  await services.exits.refresh();
  expect(shown(services.exits).map(({ label }) => label)).toEqual(['direct', 'direct']);
  const later = openExits(services, { dedicated: 'bind:127.0.0.7' });
  await later.refresh();
  expect(shown(later).at(-1)).toMatchObject({ label: 'bind:127.0.0.7', origin: 'CONFIGURED', drained: true });
});

test('an exit that is added here and configured there is both, and removing it leaves the configured one', async () => {
  const configured = openExits(services, { dedicated: 'bind:127.0.0.7' });
  const { exit } = await add('bind:127.0.0.7');
  await configured.refresh();
  expect(configured.list().at(-1)).toMatchObject({ name: exit.name, origin: 'CONFIGURED' });
  await removeExit(operator, exit.name);
  await configured.refresh();
  expect(configured.list().at(-1)).toMatchObject({ name: exit.name, origin: 'CONFIGURED' });
});

test('one that was removed and added again with another password is another exit', async () => {
  const other = openExits(services);
  const { exit } = await add('http://u:old@h:1');
  await other.refresh();
  await drainExit(operator, services.exits.name('DEDICATED', 'direct'), true);
  await removeExit(operator, exit.name);
  await add('http://u:new@h:1');
  await other.refresh();
  for (const { pools } of [services.exits, other])
    expect(pick(pools.DEDICATED, 1n)).toMatchObject({ login: { password: 'new' } });
});

test('an instance that hears of a change obeys it; one that was closed does not', async () => {
  const other = openExits(services);
  await other.start();
  const { exit } = await add('bind:127.0.0.9');
  await expect.poll(() => other.list().at(-1)?.name).toBe(exit.name);
  other.close();
  await removeExit(operator, exit.name);
  await services.exits.refresh();
  expect(other.list().at(-1)?.name).toBe(exit.name);
});

test('readings that are asked for at once share one, which is not older than the last of them', async () => {
  let reads = 0;
  const query: typeof services.db.query = (statement, values) => {
    if (statement.name === 'exitsRead') reads += 1;
    return services.db.query(statement, values);
  };
  const other = openExits({ ...services, db: { ...services.db, query } });
  const first = other.refresh();
  await Promise.all([first, ...Array.from({ length: 20 }, () => other.refresh())]);
  expect(reads).toBeLessThanOrEqual(2);
});

test('while the database is away the exits stay as they are', async () => {
  let away = false;
  const query: typeof services.db.query = (statement, values) =>
    away ? Promise.reject(new Error('away')) : services.db.query(statement, values);
  const other = openExits({ ...services, db: { ...services.db, query } });
  await add('bind:127.0.0.9');
  await other.start();
  away = true;
  const before = shown(other);
  services.events.publish('exitsChanged', { at: new Date() });
  await expect(other.refresh()).rejects.toThrow('away');
  expect(shown(other)).toEqual(before);
  away = false;
  await drainExit(operator, services.exits.name('DEDICATED', 'direct'), true);
  await other.refresh();
  expect(shown(other)[1]?.drained).toBe(true);
  other.close();
});

test('an exit that cannot be read is left out, and the log says which without what', async () => {
  await add('http://u:secret-canary@h:1');
  await add('bind:127.0.0.9');
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const other = openExits({ ...services, keys: deriveKeys(randomBytes(32)), log: createLogger('info', sink) });
  await other.refresh();
  expect(shown(other).map(({ label }) => label)).toEqual(['direct', 'direct']);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('http://u@h:1');
  expect(lines.join()).not.toContain('canary');
});

test('names differ by product, label and MASTER_KEY', () => {
  const { exits } = services;
  const other = openExits({ ...services, keys: deriveKeys(randomBytes(32)) });
  const names = [
    exits.name('SHARED', 'direct'),
    exits.name('DEDICATED', 'direct'),
    exits.name('SHARED', 'bind:127.0.0.1'),
    other.name('SHARED', 'direct'),
  ];
  expect(new Set(names).size).toBe(4);
  for (const name of names) expect(name).toMatch(/^exit-[0-9a-f]{12}$/);
});

test('exits of an account that becomes part of another are that one’s', async () => {
  const { account: old, wallet } = await walletAccount(services, 1);
  const into = await makeAccount(services);
  const { exit: own } = await add('bind:127.0.0.9', [old.user.id]);
  const { exit: both } = await add('bind:127.0.0.10', [old.user.id, into.user.id]);
  const proof = await signChallenge(newClient(services), wallet, { purpose: 'LINK' });
  expect(await linkWallet(into.ctx, proof)).toMatchObject({ merged: true });
  await services.exits.refresh();
  for (const { name } of [own, both])
    expect(services.exits.list().find((exit) => exit.name === name)?.accountIds).toEqual([into.user.id]);
  const id = String(into.user.id);
  expect(await services.db.query(ASSIGNED)).toEqual([{ id }, { id }]);
  // From now on only the account that is left can be given one.
  await expect(assignExit(operator, own.name, [old.user.id])).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
