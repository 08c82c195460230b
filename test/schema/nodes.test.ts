import { randomUUID } from 'node:crypto';

import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Viewer } from '../../src/context.ts';
import { sql } from '../../src/database/sql.ts';
import { listAudit } from '../../src/resolvers/audit/listAudit.ts';
import { createSession } from '../../src/resolvers/auth/createSession.ts';
import { assignExit } from '../../src/resolvers/exits/assignExit.ts';
import { STANDARD_GRID } from '../../src/resolvers/pricing/grids.ts';
import { encodeNodeId, NODE_TYPES, type NodeType } from '../../src/schema/ids.ts';
import {
  contextOf,
  makeAccount,
  openTestServices,
  run,
  viewerOf,
  type TestAccount,
  type TestServices,
} from '../harness/context.ts';
import { TEST_INSTANCE, TestMember } from '../harness/openConnections.ts';

let services: TestServices;
let accounts: Readonly<Record<'owner' | 'stranger' | 'admin', TestAccount>>;
/** An object of every type that has a global id: of the owner, or more than the standard prices. */
let owned: Readonly<Record<NodeType, bigint | string>>;

const FIRST_ENTRY = sql('testFirstEntry', 'select tx_id as id from ledger_entry where account_id = $1 limit 1');

beforeAll(async () => {
  services = await openTestServices();
  accounts = {
    owner: await makeAccount(services, { credits: 5n }),
    stranger: await makeAccount(services),
    admin: await makeAccount(services, { role: 'ADMIN' }),
  };
  const { ctx, user, apiKey } = accounts.owner;
  const [audit] = (await listAudit(ctx, { first: 1 }, { accountId: user.id, action: null })).edges;
  const [entry] = await services.db.query<{ id: bigint }>(FIRST_ENTRY, [user.id]);
  const { token } = await createSession(ctx, user.id, 'GRAPHQL');
  owned = {
    User: user.id,
    ApiKey: apiKey.id,
    Transaction: entry?.id ?? 0n,
    PriceGrid: STANDARD_GRID + 1n,
    AuditEntry: audit?.node.id ?? 0n,
    Session: String(decodeJwt(token)['sid']),
    OpenConnection: connectionOf(apiKey.id),
    Exit: services.exits.name('DEDICATED', 'direct'),
  };
  await assignExit(accounts.admin.ctx, String(owned.Exit), [user.id]);
});
afterAll(() => services[Symbol.asyncDispose]());

/** A connection of the key that is open. */
function connectionOf(keyId: bigint): string {
  const { no } = new TestMember(services.members, keyId).view;
  return `${TEST_INSTANCE}:${no}`;
}

async function load(viewer: Viewer, type: NodeType, id: bigint | string): Promise<unknown> {
  const source = 'query ($id: ID!) { node(id: $id) { __typename } }';
  const { data, errors } = await run(contextOf(services, viewer), source, { id: encodeNodeId(type, id) });
  return errors === undefined ? data : { answer: JSON.stringify({ data, errors }), error: errors[0]?.originalError };
}

/** As its key that may only read. */
function reader({ user, apiKey }: TestAccount): Viewer {
  return { ...viewerOf(user, apiKey), scopes: ['READ'] };
}

test.each(NODE_TYPES)('%s of somebody else is as absent as one that does not exist, byte for byte', async (type) => {
  const unknownNames: Readonly<Record<string, string>> = {
    Session: randomUUID(),
    OpenConnection: `${randomUUID()}:1`,
    Exit: 'exit-000000000000',
  };
  const unknown = unknownNames[type] ?? 999_999_999n;
  const { owner, stranger, admin } = accounts;
  for (const viewer of [stranger.ctx.viewer, reader(stranger), reader(admin)]) {
    const foreign = await load(viewer, type, owned[type]);
    expect(foreign).toMatchObject({ error: { code: 'NOT_FOUND' } });
    expect(foreign).toEqual(await load(viewer, type, unknown));
  }
  // It is there all the same.
  const there = { node: { __typename: type } };
  if (type !== 'PriceGrid')
    for (const viewer of [owner.ctx.viewer, reader(owner)])
      expect(await load(viewer, type, owned[type])).toEqual(there);
  if (['User', 'PriceGrid', 'AuditEntry', 'Exit'].includes(type))
    expect(await load(admin.ctx.viewer, type, owned[type])).toEqual(there);
});
