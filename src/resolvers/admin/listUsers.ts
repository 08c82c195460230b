import type { User } from '../../../prisma/generated/client/client.ts';
import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { USER_COLUMNS, userOf, type UserColumns, type UserRow } from '../accounts/rows.ts';
import { connect, type Connection, type PageArgs } from '../connection.ts';

export interface UserFilter {
  /** Part of an e-mail address, username or wallet address, in any case, or the number of a user. */
  readonly search: string | null;
  readonly role: User['role'] | null;
  readonly suspended: boolean | null;
}

export interface UserConnection extends Connection<UserRow> {
  totalCount(): Promise<number>;
}

/**
 * $1 pattern, $2 number, $3 role, $4 suspended: each null for any. Accounts that went into another (status 2) are left
 * out; their numbers find the one they went into.
 */
const MATCHING = `from users u join account a on a.id = u.id
  where a.status <> 2
    and ($1::text is null or u.email like $1 or lower(u.username) like $1 or u.wallet_address like $1
      or u.id = $2::bigint or u.id = (select o.merged_into from account o where o.id = $2::bigint))
    and ($3::role is null or u.role = $3::role)
    and ($4::boolean is null or (u.suspended_at is not null) = $4::boolean)`;

/** $5 and $6: ids between which the page lies; $7 rows. */
const slice = (name: string, direction: 'asc' | 'desc') =>
  sql(name, `select ${USER_COLUMNS} ${MATCHING} and u.id > $5 and u.id < $6 order by u.id ${direction} limit $7`);
const FORWARD = slice('usersForward', 'asc');
const BACKWARD = slice('usersBackward', 'desc');
const COUNT = sql('usersCount', `select count(*) as count ${MATCHING}`);

const MAX_ID = 2n ** 63n - 1n;
const NUMBER = /^\d{1,19}$/;

/** Users by age, page by page; for the operator. @throws AppError BAD_INPUT, see `connect` */
export async function listUsers(
  { db }: Pick<OperationContext, 'db'>,
  args: PageArgs,
  { search, role, suspended }: UserFilter,
): Promise<UserConnection> {
  const filter = [search === null ? null : patternOf(search), numberOf(search), role, suspended];
  const page = await connect<UserRow>(
    args,
    ({ id }) => [0n, id],
    async ({ after, before, limit, backward }) => {
      const values = [...filter, after?.[1] ?? 0n, before?.[1] ?? MAX_ID, limit];
      return (await db.query<UserColumns>(backward ? BACKWARD : FORWARD, values)).map(userOf);
    },
  );
  return {
    ...page,
    totalCount: async () => {
      const [row] = await db.query<{ count: bigint }>(COUNT, filter);
      return Number(row?.count ?? 0n);
    },
  };
}

/** The text anywhere; what LIKE gives a meaning loses it. */
function patternOf(search: string): string {
  return `%${search.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
}

function numberOf(search: string | null): bigint | null {
  if (search === null || !NUMBER.test(search)) return null;
  const number = BigInt(search);
  return number > MAX_ID ? null : number;
}
