import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';

/** Sensitive actions that are put on record. */
export const AUDIT_ACTIONS = [
  'ACCOUNT_CREATED',
  'EMAIL_VERIFIED',
  'SIGNED_IN',
  'SESSION_REVOKED',
  'REFRESH_TOKEN_REUSED',
  'PASSWORD_CHANGED',
  'PASSWORD_RESET_REQUESTED',
  'PASSWORD_RESET',
  'WALLET_LINKED',
  'WALLET_UNLINKED',
  'ACCOUNT_MERGED',
  'API_KEY_CREATED',
  'API_KEY_UPDATED',
  'API_KEY_REVEALED',
  'API_KEY_REGENERATED',
  'API_KEY_ROTATED',
  'API_KEY_REVOKED',
  'LIMITS_UPDATED',
  'SETTINGS_UPDATED',
  'WEBHOOK_SECRET_ROTATED',
  'BALANCE_ADJUSTED',
  'USAGE_RESET',
  'ACCOUNT_SUSPENDED',
  'ACCOUNT_RESUMED',
  'ACCOUNT_UPDATED',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export interface AuditRecord {
  /** Whose affairs: the account whose owner may read it. */
  readonly accountId: bigint;
  readonly action: AuditAction;
  /** What it was done to, and how: texts, numbers as text. Never a secret. */
  readonly detail?: Readonly<Record<string, string | boolean | null | readonly string[]>>;
}

const INSERT = sql(
  'auditInsert',
  `insert into audit_log (account_id, action, actor_id, key_id, session_id, address, detail)
   values ($1, $2, $3, $4, $5::uuid, $6, $7::jsonb)`,
);

/** Puts an action on record, in the transaction that does it: who, what, when and from where. */
export async function audit(
  tx: Sql,
  { viewer, clientAddress }: Pick<OperationContext, 'viewer' | 'clientAddress'>,
  { accountId, action, detail = {} }: AuditRecord,
): Promise<void> {
  const actor = viewer === null || viewer.userId === accountId ? null : viewer.userId;
  const values = [viewer?.keyId ?? null, viewer?.sessionId ?? null, clientAddress, JSON.stringify(detail)];
  await tx.query(INSERT, [accountId, action, actor, ...values]);
}
