import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { REFUSAL_CODES, type RefusalCode } from '../../errors.ts';
import { USER_COLUMNS, userOf, type UserColumns, type UserRow } from '../accounts/rows.ts';
import { KEY_COLUMNS, keyOf, type KeyColumns, type KeyRow } from '../apiKeys/rows.ts';
import { connect, type Connection, type PageArgs } from '../connection.ts';

/** Days that counts are kept, today included; `src/jobs/forget.ts` deletes older ones. */
export const KEPT_DAYS = 90;

/** Refused and ended connections of one key, of one reason, on one UTC day. */
export interface RefusalCount {
  readonly code: RefusalCode;
  /** ISO 8601. */
  readonly day: string;
  readonly count: bigint;
  readonly firstAt: Date;
  readonly lastAt: Date;
}

/** The same with whose they are. */
export interface KeyRefusals extends RefusalCount {
  readonly apiKey: KeyRow;
  readonly user: UserRow;
}

export interface RefusalFilter {
  readonly userId: bigint | null;
  readonly code: RefusalCode | null;
}

interface Columns {
  readonly code: RefusalCode;
  readonly day: string;
  readonly count: bigint;
  readonly first_at: Date;
  readonly last_at: Date;
}

const COLUMNS = 'r.code, r.day, r.count, r.first_at, r.last_at';

/** Two reasons of one key may have come in the same millisecond: the second number tells key and reason. */
const CODES_OF_A_KEY = 64;
const PLACE = `r.key_id * ${CODES_OF_A_KEY} + coalesce(array_position($1::text[], r.code), 0)`;

/** $1 known codes, $2 user or null, $3 code or null; $4 to $7 places between which the page lies; $8 rows. */
const slice = (name: string, direction: 'asc' | 'desc') =>
  sql(
    name,
    `select ${COLUMNS}, ${KEY_COLUMNS}, ${USER_COLUMNS}
     from refusal_day r
     join api_key_profile k on k.id = r.key_id
     join api_key m on m.id = k.id
     join users u on u.id = k.user_id
     join account a on a.id = u.id
     where ($2::bigint is null or k.user_id = $2) and ($3::text is null or r.code = $3)
       and r.last_at between $6::timestamptz and $4::timestamptz
       and (r.last_at, ${PLACE}) < ($4::timestamptz, $5::bigint)
       and (r.last_at, ${PLACE}) > ($6::timestamptz, $7::bigint)
     order by r.last_at ${direction}, ${PLACE} ${direction} limit $8`,
  );
const NEWEST_FIRST = slice('refusalsNewestFirst', 'desc');
const OLDEST_FIRST = slice('refusalsOldestFirst', 'asc');

const MAX_PLACE = 2n ** 63n - 1n;
/** Past every instant that the database can hold here. */
const END_MS = 253_402_300_799_000n;

/** Refusals of all keys, the latest first, page by page; for the operator. @throws AppError BAD_INPUT, see `connect` */
export function listRefusals(
  { db }: Pick<OperationContext, 'db'>,
  args: PageArgs,
  { userId, code }: RefusalFilter,
): Promise<Connection<KeyRefusals>> {
  return connect<KeyRefusals>(
    args,
    (row) => [
      BigInt(row.lastAt.getTime()),
      row.apiKey.id * BigInt(CODES_OF_A_KEY) + BigInt(REFUSAL_CODES.indexOf(row.code) + 1),
    ],
    async ({ after, before, limit, backward }) => {
      const from = after ?? [END_MS, MAX_PLACE];
      const to = before ?? [0n, 0n];
      const values = [REFUSAL_CODES, userId, code, instant(from[0]), from[1], instant(to[0]), to[1], limit];
      const statement = backward ? OLDEST_FIRST : NEWEST_FIRST;
      const rows = await db.query<Columns & KeyColumns & UserColumns>(statement, values);
      return rows.map((row) => ({ ...countOf(row), apiKey: keyOf(row), user: userOf(row) }));
    },
  );
}

/** Instants travel as ISO text; a cursor may claim any. */
function instant(milliseconds: bigint): string {
  const bounded = milliseconds < 0n ? 0n : milliseconds > END_MS ? END_MS : milliseconds;
  return new Date(Number(bounded)).toISOString();
}

const OF_KEY = sql(
  'refusalsOfKey',
  `select ${COLUMNS} from refusal_day r where r.key_id = $1 and r.day > $2::date - $3::int order by r.day desc, r.code`,
);

/** Refusals of one key on the last days, today first; the caller has checked whose key it is. */
export async function refusalsOfKey(
  { db, now }: Pick<OperationContext, 'db' | 'now'>,
  keyId: bigint,
  days: number,
): Promise<RefusalCount[]> {
  const today = now().toISOString().slice(0, 10);
  return (await db.query<Columns>(OF_KEY, [keyId, today, days])).map(countOf);
}

function countOf(row: Columns): RefusalCount {
  return { code: row.code, day: row.day, count: row.count, firstAt: row.first_at, lastAt: row.last_at };
}

// `now()`, not the clock: what changes from row to row is looked up in no index.
const PRUNE = sql(
  'refusalsPrune',
  `delete from refusal_day where (key_id, day, code) in (
     select key_id, day, code from refusal_day
     where last_at < (date_trunc('day', now() at time zone 'UTC') - make_interval(days => $1)) at time zone 'UTC'
     order by last_at, key_id, code limit $2 for update skip locked)
   returning 1 as deleted`,
);
/** Deletes counts of days that are no longer kept, at most `limit`. @returns how many */
export async function pruneRefusals(db: Sql, limit: number): Promise<number> {
  return (await db.query(PRUNE, [KEPT_DAYS - 1, limit])).length;
}
