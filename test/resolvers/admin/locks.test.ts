import { once } from 'node:events';

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { suspendAccount } from '../../../src/resolvers/admin/suspendAccount.ts';
import { updateUser } from '../../../src/resolvers/admin/updateUser.ts';
import { asSession, makeAccount, openTestServices, type TestServices } from '../../harness/context.ts';
import { hasPostgres, postgres, type PostgresServer } from '../../harness/services.ts';

const WAITING = `select 1 from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'`;

describe.skipIf(!hasPostgres())('on a PostgreSQL server', () => {
  let server: PostgresServer;
  let services: TestServices;
  beforeAll(async () => {
    const started = await postgres();
    if (started === undefined) throw new Error('PostgreSQL did not start');
    server = started;
    services = await openTestServices(undefined, server.url);
  });
  afterAll(async () => {
    await services[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test.each([
    ['is suspended', (ctx: Operator, id: bigint) => suspendAccount(ctx, id, 'x')],
    ['is demoted', (ctx: Operator, id: bigint) => updateUser(ctx, id, { role: 'USER' })],
  ])('an account that %s while it is linked to an administrator waits and holds nobody up', async (_how, act) => {
    // Who links takes both users in the order of their numbers: first the one, then the administrator.
    const { user } = await makeAccount(services);
    const admin = await makeAccount(services, { role: 'ADMIN' });
    const linking = new pg.Client({ connectionString: services.db.url });
    await linking.connect();
    try {
      await linking.query('begin');
      await linking.query('select 1 from users where id = $1 for update', [user.id]);
      const acted = act(asSession(services, { id: 0n, role: 'ADMIN' }), user.id);
      while ((await linking.query(WAITING)).rowCount === 0);
      await linking.query('select 1 from users where id = $1 for update nowait', [admin.user.id]);
      await linking.query('commit');
      expect((await acted).user.id).toBe(user.id);
    } finally {
      const ended = once(linking, 'end');
      await linking.end();
      await ended;
    }
  });
});

type Operator = Parameters<typeof suspendAccount>[0];
