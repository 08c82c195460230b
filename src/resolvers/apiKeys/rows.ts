import type { ApiKey } from '../../../prisma/generated/client/client.ts';
import {
  currentColumns,
  currentMeter,
  currentWindows,
  METER_SELECTION,
  meterColumns,
  UNREAD_METER,
  type CurrentRow,
  type Meter,
  type MeterRow,
} from '../accounts/windows.ts';

/** An API key with its limits and counters, shaped like Prisma's model. */
export type KeyRow = ApiKey & { readonly meter: Meter };

/** What Prisma includes to give the same shape. */
export const KEY_INCLUDE = { meter: { select: METER_SELECTION } } as const;

/** Columns of `api_key_profile k` and `api_key m`. */
export const KEY_COLUMNS = `k.id as key_id, k.user_id as key_user_id, k.uuid::text as key_uuid, k.name as key_name,
  k.prefix as key_prefix, k.created_at as key_created_at, k.last_used_at as key_last_used_at,
  k.revoked_at as key_revoked_at, k.refusal_code as key_refusal_code, k.refusal_message as key_refusal_message,
  k.refused_at as key_refused_at, k.scopes as key_scopes, k.expires_at as key_expires_at,
  k.allowed_ips as key_allowed_ips, k.products as key_products, k.show_targets as key_show_targets,
  k.rules_no as key_rules_no, ${meterColumns('m', 'key_')}`;

export type KeyColumns = MeterRow<'key_'> & {
  readonly key_id: bigint;
  readonly key_user_id: bigint;
  readonly key_uuid: string;
  readonly key_name: string;
  readonly key_prefix: string;
  readonly key_created_at: Date;
  readonly key_last_used_at: Date | null;
  readonly key_revoked_at: Date | null;
  readonly key_refusal_code: string | null;
  readonly key_refusal_message: string | null;
  readonly key_refused_at: Date | null;
  readonly key_scopes: string[];
  readonly key_expires_at: Date | null;
  readonly key_allowed_ips: string[];
  readonly key_products: string[];
  readonly key_show_targets: boolean;
  readonly key_rules_no: number;
};

export function keyOf(row: KeyColumns): KeyRow {
  return {
    id: row.key_id,
    userId: row.key_user_id,
    uuid: row.key_uuid,
    name: row.key_name,
    prefix: row.key_prefix,
    createdAt: row.key_created_at,
    lastUsedAt: row.key_last_used_at,
    revokedAt: row.key_revoked_at,
    refusalCode: row.key_refusal_code,
    refusalMessage: row.key_refusal_message,
    refusedAt: row.key_refused_at,
    scopes: row.key_scopes,
    expiresAt: row.key_expires_at,
    allowedIps: row.key_allowed_ips,
    products: row.key_products,
    showTargets: row.key_show_targets,
    rulesNo: row.key_rules_no,
    meter: {
      dayLimit: row.key_day_limit,
      dayStart: row.key_day_start,
      dayUsed: row.key_day_used,
      weekLimit: row.key_week_limit,
      weekStart: row.key_week_start,
      weekUsed: row.key_week_used,
      monthLimit: row.key_month_limit,
      monthStart: row.key_month_start,
      monthUsed: row.key_month_used,
    },
  };
}

const NEVER = new Date(0);

/** A key of which only the id will be read, or id, name and what else is given. */
export function namedKey(id: bigint, name = '', meter: Meter = UNREAD_METER): KeyRow {
  // Written out: a spread costs a list several times as much.
  return {
    id,
    name,
    meter,
    userId: 0n,
    uuid: '',
    prefix: '',
    createdAt: NEVER,
    lastUsedAt: null,
    revokedAt: null,
    refusalCode: null,
    refusalMessage: null,
    refusedAt: null,
    scopes: [],
    expiresAt: null,
    allowedIps: [],
    products: [],
    showTargets: false,
    rulesNo: 0,
  };
}

/** A key of which id, name and limits will be read: few columns, parsed once per row. */
export type BriefKeyColumns = CurrentRow & { readonly id: bigint; readonly name: string };

/** Its columns of `api_key_profile k` and `api_key m`; the windows start at the parameters `$from` and the next two. */
export function briefKeyColumns(from: number): string {
  return `k.id, k.name, ${currentColumns('m', from)}`;
}

export function briefKeyOf(row: BriefKeyColumns, now: Date): KeyRow {
  return namedKey(row.id, row.name, currentMeter(row, currentWindows(now)));
}
