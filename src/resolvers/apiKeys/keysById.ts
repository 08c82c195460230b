import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { isOperator } from '../../viewer.ts';
import { KEY_COLUMNS, keyOf, namedKey, type KeyColumns, type KeyRow } from './rows.ts';

const BY_IDS = sql(
  'apiKeysById',
  `select ${KEY_COLUMNS} from api_key_profile k join api_key m on m.id = k.id
   where k.id = any($1::bigint[]) and (k.user_id = $2 or $3::boolean)`,
);

export interface KeyRequest {
  readonly id: bigint;
  /** Nothing but the id will be read: live events name keys at no cost. */
  readonly idOnly: boolean;
}

/** Keys of the caller's account, to the operator of any, in the order of the requests; an error in place of what is not theirs. */
export async function keysById(
  { db, viewer }: Pick<OperationContext, 'db' | 'viewer'>,
  requests: readonly KeyRequest[],
): Promise<(KeyRow | Error)[]> {
  const ids = requests.filter(({ idOnly }) => !idOnly).map(({ id }) => id);
  const rows =
    ids.length === 0 ? [] : await db.query<KeyColumns>(BY_IDS, [ids, viewer?.userId ?? 0n, isOperator(viewer)]);
  const keys = new Map(rows.map((row) => [row.key_id, keyOf(row)]));
  return requests.map(({ id, idOnly }) => (idOnly ? namedKey(id) : (keys.get(id) ?? new AppError('NOT_FOUND'))));
}
