import type { Account, User } from '../../../prisma/generated/client/client.ts';
import { METER_SELECTION, meterColumns, UNREAD_METER, type Meter, type MeterRow } from './windows.ts';

/** Credit of an account, as reads need it. */
export type AccountState = Meter & Pick<Account, 'balance'>;

/** A user with the credit of its account, shaped like Prisma's model. */
export type UserRow = User & { readonly account: AccountState };

/** What Prisma includes to give the same shape. */
export const USER_INCLUDE = { account: { select: { balance: true, ...METER_SELECTION } } } as const;

/** Columns of `users u` and `account a`. */
export const USER_COLUMNS = `u.id as user_id, u.username as user_username, u.email as user_email,
  u.email_verified as user_email_verified, u.wallet_address as user_wallet_address, u.role::text as user_role,
  u.permissions as user_permissions, u.plan as user_plan, u.created_at as user_created_at,
  u.language::text as user_language, u.grid_id as user_grid_id, u.suspended_at as user_suspended_at,
  u.suspended_for as user_suspended_for,
  a.balance as account_balance, ${meterColumns('a', 'account_')}`;

export type UserColumns = MeterRow<'account_'> & {
  readonly user_id: bigint;
  readonly user_username: string | null;
  readonly user_email: string | null;
  readonly user_email_verified: boolean;
  readonly user_wallet_address: string | null;
  readonly user_role: User['role'];
  readonly user_permissions: string[];
  readonly user_plan: string;
  readonly user_created_at: Date;
  readonly user_language: User['language'];
  readonly user_grid_id: bigint | null;
  readonly user_suspended_at: Date | null;
  readonly user_suspended_for: string | null;
  readonly account_balance: bigint;
};

export function userOf(row: UserColumns): UserRow {
  return {
    id: row.user_id,
    username: row.user_username,
    email: row.user_email,
    emailVerified: row.user_email_verified,
    walletAddress: row.user_wallet_address,
    role: row.user_role,
    permissions: row.user_permissions,
    plan: row.user_plan,
    createdAt: row.user_created_at,
    language: row.user_language,
    gridId: row.user_grid_id,
    suspendedAt: row.user_suspended_at,
    suspendedFor: row.user_suspended_for,
    account: {
      balance: row.account_balance,
      dayLimit: row.account_day_limit,
      dayStart: row.account_day_start,
      dayUsed: row.account_day_used,
      weekLimit: row.account_week_limit,
      weekStart: row.account_week_start,
      weekUsed: row.account_week_used,
      monthLimit: row.account_month_limit,
      monthStart: row.account_month_start,
      monthUsed: row.account_month_used,
    },
  };
}

const NEVER = new Date(0);

/** A user of whom only the id and the given state of the account will be read. */
export function briefUser(id: bigint, balance = 0n, meter: Meter = UNREAD_METER): UserRow {
  return {
    id,
    username: null,
    email: null,
    emailVerified: false,
    walletAddress: null,
    role: 'USER',
    permissions: [],
    plan: '',
    createdAt: NEVER,
    language: 'EN',
    gridId: null,
    suspendedAt: null,
    suspendedFor: null,
    account: {
      balance,
      dayLimit: meter.dayLimit,
      dayStart: meter.dayStart,
      dayUsed: meter.dayUsed,
      weekLimit: meter.weekLimit,
      weekStart: meter.weekStart,
      weekUsed: meter.weekUsed,
      monthLimit: meter.monthLimit,
      monthStart: meter.monthStart,
      monthUsed: meter.monthUsed,
    },
  };
}
