import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { formatCredits } from '../../units.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { lockSettings, type SettingsRow } from './rows.ts';

const UPDATE = sql(
  'settingsUpdateAlerts',
  `update settings set alert_low_balance = $2, alert_threshold = $3, auto_reload_enabled = $4,
     auto_reload_threshold = $5, auto_reload_amount = $6, save_card_consent = $7
   where user_id = $1`,
);

const FIELDS = [
  'alertLowBalance',
  'alertThreshold',
  'autoReloadEnabled',
  'autoReloadThreshold',
  'autoReloadAmount',
  'saveCardConsent',
] as const;

/** Absent and null leave alone. Nano-credits. */
export type AlertInput = { readonly [Field in (typeof FIELDS)[number]]?: SettingsRow[Field] | null | undefined };

/**
 * Changes alerts and automatic reload of the caller's account. Withdrawing the consent to keep a card ends automatic
 * reload.
 * @throws AppError CARD_CONSENT_REQUIRED when automatic reload is turned on without that consent, given now or before;
 *   UNAUTHENTICATED, see `lockSettings`
 */
export function updateAlerts(ctx: ViewerContext, input: AlertInput): Promise<{ settings: SettingsRow }> {
  const { userId } = ctx.viewer;
  return transaction(ctx, async (tx) => {
    const before = await lockSettings(tx, userId);
    const after = changed(before, input);
    const news = FIELDS.filter((field) => after[field] !== before[field]);
    if (news.length === 0) return { settings: before };
    await tx.query(UPDATE, [userId, ...FIELDS.map((field) => after[field])]);
    const detail = Object.fromEntries(news.map((field) => [field, textOf(after[field])]));
    await audit(tx, ctx, { accountId: userId, action: 'SETTINGS_UPDATED', detail });
    return { settings: after };
  });
}

function changed(before: SettingsRow, input: AlertInput): SettingsRow {
  const saveCardConsent = input.saveCardConsent ?? before.saveCardConsent;
  const autoReloadEnabled = input.autoReloadEnabled ?? (before.autoReloadEnabled && saveCardConsent);
  if (autoReloadEnabled && !saveCardConsent) {
    const field = input.saveCardConsent === false ? 'saveCardConsent' : 'autoReloadEnabled';
    throw new AppError('CARD_CONSENT_REQUIRED', { field });
  }
  return {
    ...before,
    saveCardConsent,
    autoReloadEnabled,
    alertLowBalance: input.alertLowBalance ?? before.alertLowBalance,
    alertThreshold: input.alertThreshold ?? before.alertThreshold,
    autoReloadThreshold: input.autoReloadThreshold ?? before.autoReloadThreshold,
    autoReloadAmount: input.autoReloadAmount ?? before.autoReloadAmount,
  };
}

function textOf(value: boolean | bigint): string | boolean {
  return typeof value === 'bigint' ? formatCredits(value) : value;
}
