import type { KeyScope, Viewer } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';

interface Principal {
  readonly account_id: bigint;
  readonly role: Viewer['role'];
  readonly permissions: string[];
}

const BY_LOOKUP = sql(
  'credentialByLookup',
  `select k.id as key_id, m.account_id, u.role::text as role, u.permissions, k.scopes,
     k.revoked_at is not null or coalesce(s.expires_at <= clock_timestamp(), false) as revoked
   from api_key_secret s
   join api_key_profile k on k.id = s.key_id
   join api_key m on m.id = k.id
   join users u on u.id = m.account_id
   where s.lookup = $1`,
);

const BY_SESSION = sql(
  'credentialBySession',
  `select s.user_id as account_id, u.role::text as role, u.permissions
   from session s join users u on u.id = s.user_id
   where s.id = $1::uuid and s.user_id = $2 and s.revoked_at is null and s.expires_at > clock_timestamp()`,
);

/** A session may do all that its user may. */
const ALL_SCOPES: readonly KeyScope[] = ['PROXY', 'READ', 'MANAGE'];

/** A key that a secret once opened; `revoked` when it, or this secret of it, does no longer. */
export interface FoundKey {
  readonly viewer: Viewer & { readonly keyId: bigint };
  readonly revoked: boolean;
}

/** The key that a secret belongs to, by the lookup hash of the secret. */
export async function findKey(db: Sql, lookup: Buffer): Promise<FoundKey | undefined> {
  const [row] = await db.query<Principal & { key_id: bigint; scopes: KeyScope[]; revoked: boolean }>(BY_LOOKUP, [
    lookup,
  ]);
  if (row === undefined) return undefined;
  const { account_id: userId, role, permissions, scopes, key_id: keyId, revoked } = row;
  const viewer = {
    kind: 'KEY',
    userId,
    role,
    permissions,
    scopes,
    keyId,
    sessionId: null,
    lookup: lookup.toString('hex'),
  } as const;
  return { viewer, revoked };
}

/** The viewer of a session that is neither revoked nor expired. */
export async function findSession(db: Sql, sessionId: string, userId: bigint): Promise<Viewer | undefined> {
  const [row] = await db.query<Principal>(BY_SESSION, [sessionId, userId]);
  if (row === undefined) return undefined;
  const { role, permissions } = row;
  return { kind: 'SESSION', userId, role, permissions, scopes: ALL_SCOPES, keyId: null, sessionId };
}
