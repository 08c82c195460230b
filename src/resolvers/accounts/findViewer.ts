import type { OperationContext, Viewer } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { hasScope } from '../../viewer.ts';
import { KEY_COLUMNS, keyOf, type KeyColumns, type KeyRow } from '../apiKeys/rows.ts';
import { briefUser, USER_COLUMNS, userOf, type UserColumns, type UserRow } from './rows.ts';
import {
  currentColumns,
  currentMeter,
  currentWindows,
  remainingColumn,
  remainingCredit,
  type CurrentRow,
} from './windows.ts';

export interface ViewerState {
  readonly user: UserRow;
  readonly apiKey: KeyRow | null;
  /** Nano-credits. */
  readonly remaining: bigint;
}

const BY_SESSION = sql(
  'viewerBySession',
  `select ${USER_COLUMNS} from users u join account a on a.id = u.id where u.id = $1`,
);

const BY_KEY = sql(
  'viewerByKey',
  `select ${USER_COLUMNS}, ${KEY_COLUMNS}
   from api_key_profile k
   join api_key m on m.id = k.id
   join users u on u.id = k.user_id
   join account a on a.id = u.id
   where k.id = $1 and u.id = $2`,
);

/**
 * $1 account, $2 key or null, $3 to $5 starts of the windows. With few columns: these are asked for more often than
 * anything else.
 */
const credit = (name: string, columns: string) =>
  sql(
    name,
    `select a.balance, ${remainingColumn('a', ['a', 'm'], 3)}${columns}
     from account a left join api_key m on m.id = $2::bigint and m.account_id = a.id
     where a.id = $1`,
  );
const BALANCE = credit('viewerBalance', '');
const LIMITS = credit('viewerLimits', `, ${currentColumns('a', 3)}`);

/**
 * How much of the viewer will be read: nothing but the id of the user; the balance and what remains; the limits of
 * the account too; everything.
 */
export type ViewerDepth = 'ID' | 'BALANCE' | 'LIMITS' | 'ALL';

/**
 * Who calls, with as much as will be read, in at most one statement. null when anonymous, or gone meanwhile.
 * @throws AppError INSUFFICIENT_SCOPE for an API key that may not read
 */
export async function findViewer(ctx: OperationContext, depth: ViewerDepth = 'ALL'): Promise<ViewerState | null> {
  const { viewer } = ctx;
  if (viewer === null) return null;
  if (!hasScope(viewer, 'READ')) throw new AppError('INSUFFICIENT_SCOPE');
  if (depth === 'ID') return { user: briefUser(viewer.userId), apiKey: null, remaining: 0n };
  return depth === 'ALL' ? findAll(ctx, viewer) : findCredit(ctx, viewer, depth === 'LIMITS');
}

async function findCredit({ db, now }: OperationContext, viewer: Viewer, limits: boolean): Promise<ViewerState | null> {
  const windows = currentWindows(now());
  const values = [viewer.userId, viewer.keyId, ...windows.texts];
  if (!limits) {
    const [row] = await db.query<CreditRow>(BALANCE, values);
    return row === undefined ? null : stateOf(briefUser(viewer.userId, row.balance), row);
  }
  const [row] = await db.query<CreditRow & CurrentRow>(LIMITS, values);
  if (row === undefined) return null;
  return stateOf(briefUser(viewer.userId, row.balance, currentMeter(row, windows)), row);
}

interface CreditRow {
  readonly balance: bigint;
  readonly remaining: bigint;
}

function stateOf(user: UserRow, { remaining }: CreditRow): ViewerState {
  return { user, apiKey: null, remaining };
}

async function findAll({ db, now }: OperationContext, viewer: Viewer): Promise<ViewerState | null> {
  if (viewer.keyId === null) {
    const [row] = await db.query<UserColumns>(BY_SESSION, [viewer.userId]);
    if (row === undefined) return null;
    const user = userOf(row);
    return { user, apiKey: null, remaining: remainingCredit(user.account.balance, [user.account], now()) };
  }
  const [row] = await db.query<UserColumns & KeyColumns>(BY_KEY, [viewer.keyId, viewer.userId]);
  if (row === undefined) return null;
  const user = userOf(row);
  const apiKey = keyOf(row);
  return { user, apiKey, remaining: remainingCredit(user.account.balance, [user.account, apiKey.meter], now()) };
}
