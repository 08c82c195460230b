import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { connect, type Connection, type PageArgs, type Position } from '../connection.ts';
import { currentWindows } from '../accounts/windows.ts';
import {
  briefKeyColumns,
  briefKeyOf,
  KEY_COLUMNS,
  keyOf,
  type BriefKeyColumns,
  type KeyColumns,
  type KeyRow,
} from './rows.ts';

/** Revoked keys stay listed; this bounds what one answer holds. */
const MAX_LISTED = 1000;

const OF_USER = 'from api_key_profile k join api_key m on m.id = k.id where k.user_id = $1';
const FROM = `select ${KEY_COLUMNS} ${OF_USER}`;
const REVOKED = 'case when k.revoked_at is null then 0 else 1 end';

const LISTED = `order by ${REVOKED}, k.id limit ${MAX_LISTED}`;
const LIST = sql('apiKeysOfUser', `${FROM} ${LISTED}`);
/** $2 to $4: starts of the windows. */
const LIST_BRIEF = sql('apiKeysOfUserBrief', `select ${briefKeyColumns(2)} ${OF_USER} ${LISTED}`);

const slice = (name: string, direction: 'asc' | 'desc') =>
  sql(
    name,
    `${FROM} and (${REVOKED}, k.id) > ($2::bigint, $3::bigint) and (${REVOKED}, k.id) < ($4::bigint, $5::bigint)
     order by ${REVOKED} ${direction}, k.id ${direction} limit $6`,
  );
const FORWARD = slice('apiKeysForward', 'asc');
const BACKWARD = slice('apiKeysBackward', 'desc');

const COUNT = sql('apiKeysCount', 'select count(*) as count from api_key_profile where user_id = $1');

/**
 * All keys of a user: active first, then by age.
 * @param brief nothing but id, name and limits will be read
 */
export async function listApiKeys(
  { db, now }: Pick<OperationContext, 'db' | 'now'>,
  userId: bigint,
  brief = false,
): Promise<KeyRow[]> {
  if (brief) {
    const at = now();
    const rows = await db.query<BriefKeyColumns>(LIST_BRIEF, [userId, ...currentWindows(at).texts]);
    return rows.map((row) => briefKeyOf(row, at));
  }
  return (await db.query<KeyColumns>(LIST, [userId])).map(keyOf);
}

const FIRST: Position = [-1n, 0n];
const LAST: Position = [2n, 0n];

export interface KeyConnection extends Connection<KeyRow> {
  totalCount(): Promise<number>;
}

/** The same keys, page by page. @throws AppError BAD_INPUT, see `connect` */
export async function connectApiKeys(
  { db }: Pick<OperationContext, 'db'>,
  userId: bigint,
  args: PageArgs,
): Promise<KeyConnection> {
  const page = await connect<KeyRow>(
    args,
    ({ id, revokedAt }) => [revokedAt === null ? 0n : 1n, id],
    async ({ after, before, limit, backward }) => {
      const values = [userId, ...(after ?? FIRST), ...(before ?? LAST), limit];
      return (await db.query<KeyColumns>(backward ? BACKWARD : FORWARD, values)).map(keyOf);
    },
  );
  return {
    ...page,
    totalCount: async () => {
      const [row] = await db.query<{ count: bigint }>(COUNT, [userId]);
      return Number(row?.count ?? 0n);
    },
  };
}
