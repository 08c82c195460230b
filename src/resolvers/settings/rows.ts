import type { Settings } from '../../../prisma/generated/client/client.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { lockLiveAccount } from '../accounts/lockLiveAccount.ts';

/** What a customer set; amounts in nano-credits. */
export type SettingsRow = Settings;

const COLUMNS = `s.alert_low_balance, s.alert_threshold, s.auto_reload_enabled, s.auto_reload_threshold,
  s.auto_reload_amount, s.save_card_consent, s.webhook_url, s.webhook_events, s.webhook_secret_no,
  s.webhook_rotated_at`;

interface Columns {
  readonly alert_low_balance: boolean;
  readonly alert_threshold: bigint;
  readonly auto_reload_enabled: boolean;
  readonly auto_reload_threshold: bigint;
  readonly auto_reload_amount: bigint;
  readonly save_card_consent: boolean;
  readonly webhook_url: string | null;
  readonly webhook_events: string[];
  readonly webhook_secret_no: number;
  readonly webhook_rotated_at: Date | null;
}

const OF_USER = sql('settingsOfUser', `select ${COLUMNS} from settings s where s.user_id = $1`);
const CREATE = sql('settingsCreate', 'insert into settings (user_id) values ($1) on conflict (user_id) do nothing');
const LOCK = sql('settingsLock', `${OF_USER.text} for no key update`);

/** What holds for who has set nothing; the same as the defaults of the columns, as test/resolvers/settings shows. */
const DEFAULTS: Omit<SettingsRow, 'userId'> = {
  alertLowBalance: true,
  alertThreshold: 50_000_000_000n,
  autoReloadEnabled: false,
  autoReloadThreshold: 10_000_000_000n,
  autoReloadAmount: 50_000_000_000n,
  saveCardConsent: false,
  webhookUrl: null,
  webhookEvents: [],
  webhookSecretNo: 1,
  webhookRotatedAt: null,
};

/** The settings of a user, in one statement; the defaults when nothing was set. */
export async function findSettings(db: Sql, userId: bigint): Promise<SettingsRow> {
  const [row] = await db.query<Columns>(OF_USER, [userId]);
  return row === undefined ? { userId, ...DEFAULTS } : settingsOf(userId, row);
}

/**
 * The settings of a user who is about to change them: there is a row, and whoever else changes it waits.
 * @throws AppError UNAUTHENTICATED, see `lockLiveAccount`
 */
export async function lockSettings(tx: Sql, userId: bigint): Promise<SettingsRow> {
  await lockLiveAccount(tx, userId);
  await tx.query(CREATE, [userId]);
  const [row] = await tx.query<Columns>(LOCK, [userId]);
  if (row === undefined) throw new Error('the settings were not inserted');
  return settingsOf(userId, row);
}

function settingsOf(userId: bigint, row: Columns): SettingsRow {
  return {
    userId,
    alertLowBalance: row.alert_low_balance,
    alertThreshold: row.alert_threshold,
    autoReloadEnabled: row.auto_reload_enabled,
    autoReloadThreshold: row.auto_reload_threshold,
    autoReloadAmount: row.auto_reload_amount,
    saveCardConsent: row.save_card_consent,
    webhookUrl: row.webhook_url,
    webhookEvents: row.webhook_events,
    webhookSecretNo: row.webhook_secret_no,
    webhookRotatedAt: row.webhook_rotated_at,
  };
}
