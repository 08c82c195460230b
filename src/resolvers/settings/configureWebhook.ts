import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { lockSettings, type SettingsRow } from './rows.ts';

/** What a webhook can be told of, in the order it is shown. */
export const WEBHOOK_EVENTS = ['balanceLow', 'deposit', 'dailyUsage'] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

const UPDATE = sql(
  'settingsUpdateWebhook',
  'update settings set webhook_url = $2, webhook_events = $3 where user_id = $1',
);

export interface WebhookInput {
  /** null: no webhook. */
  readonly url: string | null;
  readonly events: Readonly<Record<WebhookEvent, boolean>>;
}

/**
 * Sets the webhook of the caller's account. The signing secret stays as it is.
 * @throws AppError BAD_INPUT when nothing may be sent to the URL; UNAUTHENTICATED, see `lockSettings`
 */
export async function configureWebhook(ctx: ViewerContext, input: WebhookInput): Promise<{ settings: SettingsRow }> {
  const { url } = input;
  const fault = url === null ? undefined : ctx.webhookTarget(url);
  if (fault !== undefined) throw new AppError('BAD_INPUT', { message: `url: ${fault}`, field: 'url' });
  const events = WEBHOOK_EVENTS.filter((event) => input.events[event]);
  const { userId } = ctx.viewer;
  return transaction(ctx, async (tx) => {
    const before = await lockSettings(tx, userId);
    if (before.webhookUrl === url && before.webhookEvents.join() === events.join()) return { settings: before };
    await tx.query(UPDATE, [userId, url, events]);
    // Of the URL no more: path and query are where receivers keep their secret.
    const detail = { webhook: url === null ? null : new URL(url).origin, webhookEvents: events };
    await audit(tx, ctx, { accountId: userId, action: 'SETTINGS_UPDATED', detail });
    return { settings: { ...before, webhookUrl: url, webhookEvents: events } };
  });
}
