import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';

/** Sensitive actions that are put on record, and what each says. */
export const AUDIT_ACTIONS = {
  ACCOUNT_CREATED: 'The account was created.',
  EMAIL_VERIFIED: 'The e-mail address was confirmed.',
  SIGNED_IN: 'A session was opened.',
  SESSION_REVOKED: 'A session was ended, or all others.',
  REFRESH_TOKEN_REUSED: 'A refresh token came back after its grace; its session was ended.',
  PASSWORD_CHANGED: 'The password was changed by who knew the old one.',
  PASSWORD_RESET_REQUESTED: 'A mail to reset the password was asked for.',
  PASSWORD_RESET: 'The password was reset through a mail.',
  WALLET_LINKED: 'A wallet was linked.',
  WALLET_UNLINKED: 'The wallet was unlinked.',
  ACCOUNT_MERGED: 'Another account was merged in.',
  API_KEY_CREATED: 'An API key was created.',
  API_KEY_UPDATED: 'An API key was renamed, or its limits, scopes or lists changed.',
  API_KEY_REVEALED: 'The secret of an API key was shown again.',
  API_KEY_REGENERATED: 'An API key got a new secret; the old one died at once.',
  API_KEY_ROTATED: 'An API key got a new secret; the old one works on for a while.',
  API_KEY_REVOKED: 'An API key was revoked.',
  LIMITS_UPDATED: 'Limits of the account were changed.',
  SETTINGS_UPDATED: 'Alerts, automatic reload, webhook or language were changed.',
  WEBHOOK_SECRET_ROTATED: 'The signing secret of the webhook was replaced.',
  BALANCE_ADJUSTED: 'The operator gave or took credit.',
  USAGE_RESET: 'The operator put a counter of an API key back to zero.',
  ACCOUNT_SUSPENDED: 'The operator suspended the account.',
  ACCOUNT_RESUMED: 'The operator ended the suspension.',
  ACCOUNT_UPDATED: 'The operator changed role, permissions, plan or price grid.',
  PRICE_GRID_SAVED: 'A price grid was made or changed; stands with the operator who did it.',
  EXIT_ADDED: 'An exit was added; stands with the operator who did it, as the next ones.',
  EXIT_DRAINED: 'An exit was drained, or takes connections again.',
  EXIT_ASSIGNED: 'An exit was reserved for accounts, or given to everybody.',
  EXIT_REMOVED: 'An exit that had been added was removed.',
} as const;
export type AuditAction = keyof typeof AUDIT_ACTIONS;

export interface AuditRecord {
  /** Whose affairs: the account whose owner may read it. */
  readonly accountId: bigint;
  readonly action: AuditAction;
  /** What it was done to, and how: texts, numbers as text. Never a secret. */
  readonly detail?: Readonly<Record<string, string | boolean | null | readonly string[]>>;
}

/**
 * The statement that puts an action on record, for the one that does it: its values, `auditValues`, stand at the
 * parameters from `$first` on.
 * @param condition such as `from done`: nothing is put on record when that has no rows
 */
export function auditSql(first: number, condition = ''): string {
  const types = ['bigint', 'text', 'bigint', 'bigint', 'uuid', 'text', 'jsonb'];
  const values = types.map((type, index) => `$${first + index}::${type}`).join(', ');
  return `insert into audit_log (account_id, action, actor_id, key_id, session_id, address, detail)
   select ${values} ${condition}`;
}

const INSERT = sql('auditInsert', auditSql(1));

type Actor = Pick<OperationContext, 'viewer' | 'clientAddress'>;

/**
 * Who acts by a proof: a password, a wallet, a mail or a refresh token. It is the owner of the account, whatever bearer
 * the request happens to carry.
 */
export function byProof({ clientAddress }: Pick<Actor, 'clientAddress'>): Actor {
  return { viewer: null, clientAddress };
}

/** Who, what, when and from where, as `auditSql` takes them. */
export function auditValues(
  { viewer, clientAddress }: Actor,
  { accountId, action, detail = {} }: AuditRecord,
): unknown[] {
  const actor = viewer === null || viewer.userId === accountId ? null : viewer.userId;
  const credential = [viewer?.keyId ?? null, viewer?.sessionId ?? null];
  return [accountId, action, actor, ...credential, clientAddress, JSON.stringify(detail)];
}

/** Puts an action on record, in the transaction that does it: who, what, when and from where. */
export async function audit(tx: Sql, actor: Actor, entry: AuditRecord): Promise<void> {
  await tx.query(INSERT, auditValues(actor, entry));
}
