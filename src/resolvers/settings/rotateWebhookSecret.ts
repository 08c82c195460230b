import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { lockSettings, type SettingsRow } from './rows.ts';

const ROTATE = sql(
  'settingsRotateWebhookSecret',
  `update settings set webhook_secret_no = webhook_secret_no + 1, webhook_rotated_at = $2 where user_id = $1`,
);

/**
 * Replaces the signing secret of the caller's webhook. When that was stays known: the old one is to sign alongside for a
 * while, so that receivers can change over.
 * @param number of the secret to replace: when it has been replaced already nothing happens, so that a repeated call
 *   does no harm; null: replaces whatever there is
 */
export function rotateWebhookSecret(ctx: ViewerContext, number: number | null): Promise<{ settings: SettingsRow }> {
  const { userId } = ctx.viewer;
  const webhookRotatedAt = ctx.now();
  return transaction(ctx, async (tx) => {
    const before = await lockSettings(tx, userId);
    if (number !== null && number !== before.webhookSecretNo) return { settings: before };
    await tx.query(ROTATE, [userId, webhookRotatedAt]);
    const webhookSecretNo = before.webhookSecretNo + 1;
    const detail = { webhookSecretNumber: webhookSecretNo.toString() };
    await audit(tx, ctx, { accountId: userId, action: 'WEBHOOK_SECRET_ROTATED', detail });
    return { settings: { ...before, webhookSecretNo, webhookRotatedAt } };
  });
}
