import type { Viewer } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { KEY_SCOPES, restricts, rulesOf, type EndCause, type KeyRules, type KeyRulesRow } from '../../keyRules.ts';

interface Principal {
  readonly account_id: bigint;
  readonly role: Viewer['role'];
  readonly permissions: string[];
  readonly suspended: boolean;
}

interface KeyPrincipal extends Principal, KeyRulesRow {
  readonly key_id: bigint;
  readonly expires_at: Date | null;
  readonly ended: EndCause | null;
}

const BY_LOOKUP = sql(
  'credentialByLookup',
  `select k.id as key_id, m.account_id, u.role::text as role, u.permissions, u.suspended_at is not null as suspended,
     k.rules_no, k.scopes, k.allowed_ips, k.products, k.show_targets, least(k.expires_at, s.expires_at) as expires_at,
     case
       when k.revoked_at is not null then 'REVOKED'
       when s.expires_at <= clock_timestamp() then 'REPLACED'
       when k.expires_at <= clock_timestamp() then 'EXPIRED'
     end as ended
   from api_key_secret s
   join api_key_profile k on k.id = s.key_id
   join api_key m on m.id = k.id
   join users u on u.id = m.account_id
   where s.lookup = $1`,
);

const BY_SESSION = sql(
  'credentialBySession',
  `select s.user_id as account_id, u.role::text as role, u.permissions, u.suspended_at is not null as suspended
   from session s join users u on u.id = s.user_id
   where s.id = $1::uuid and s.user_id = $2 and s.revoked_at is null and s.expires_at > clock_timestamp()`,
);

/** A credential and what stands in its way. */
export interface FoundSession {
  readonly viewer: Viewer;
  /** Its account is suspended by the operator. */
  readonly suspended: boolean;
}

/** A key that a secret opens, or once opened. */
export interface FoundKey extends FoundSession {
  readonly viewer: Viewer & { readonly keyId: bigint };
  /** What its owner restricts it to; undefined: nothing. */
  readonly rules: KeyRules | undefined;
  /** Its owner wants to see where its connections go. */
  readonly showTargets: boolean;
  /** When the key or this secret of it expires, in milliseconds since 1970; Infinity: never. */
  readonly expiresAtMs: number;
  /** Why it opens nothing any more; null: it does. */
  readonly ended: EndCause | null;
}

/** The key that a secret belongs to, by the lookup hash of the secret. */
export async function findKey(db: Sql, lookup: Buffer): Promise<FoundKey | undefined> {
  const [row] = await db.query<KeyPrincipal>(BY_LOOKUP, [lookup]);
  if (row === undefined) return undefined;
  const { account_id: userId, role, permissions, key_id: keyId, suspended, ended } = row;
  const rules = rulesOf(row);
  const viewer = {
    kind: 'KEY',
    userId,
    role,
    permissions,
    scopes: rules.scopes,
    keyId,
    sessionId: null,
    lookup: lookup.toString('hex'),
    rulesNo: rules.no,
  } as const;
  const expiresAtMs = row.expires_at?.getTime() ?? Infinity;
  return {
    viewer,
    suspended,
    rules: restricts(rules) ? rules : undefined,
    showTargets: rules.showTargets,
    expiresAtMs,
    ended,
  };
}

/** The viewer of a session that is neither revoked nor expired; it may do all that its user may. */
export async function findSession(db: Sql, sessionId: string, userId: bigint): Promise<FoundSession | undefined> {
  const [row] = await db.query<Principal>(BY_SESSION, [sessionId, userId]);
  if (row === undefined) return undefined;
  const { role, permissions, suspended } = row;
  const viewer = { kind: 'SESSION', userId, role, permissions, scopes: KEY_SCOPES, keyId: null, sessionId } as const;
  return { viewer, suspended };
}
