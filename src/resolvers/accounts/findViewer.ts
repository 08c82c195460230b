import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { KEY_COLUMNS, keyOf, type KeyColumns, type KeyRow } from '../apiKeys/rows.ts';
import { USER_COLUMNS, userOf, type UserColumns, type UserRow } from './rows.ts';
import { remainingCredit } from './windows.ts';

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

/** Who calls, with the account's credit, in one statement. null when anonymous, or gone meanwhile. */
export async function findViewer({ viewer, db, now }: OperationContext): Promise<ViewerState | null> {
  if (viewer === null) return null;
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
