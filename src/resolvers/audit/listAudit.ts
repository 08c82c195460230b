import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { isOperator } from '../../viewer.ts';
import { KEY_COLUMNS, keyOf, type KeyColumns, type KeyRow } from '../apiKeys/rows.ts';
import { connect, type Connection, type PageArgs } from '../connection.ts';
import { OWNER_IDS } from '../usage/owners.ts';
import type { AuditAction, AuditRecord } from './record.ts';

/** One action on record, as its reader may see it. */
export interface AuditRow {
  readonly id: bigint;
  readonly at: Date;
  readonly accountId: bigint;
  readonly action: AuditAction;
  /** Somebody else did it: the operator. */
  readonly byOperator: boolean;
  /** Who that was; null for everybody but operators. */
  readonly actorId: bigint | null;
  /** Of the client; null when the operator did it, for everybody but operators. */
  readonly address: string | null;
  /** The API key that was presented; null as `address` is. */
  readonly apiKey: KeyRow | null;
  /** The session that was presented; null as `address` is. */
  readonly sessionId: string | null;
  readonly detail: NonNullable<AuditRecord['detail']>;
}

export interface AuditFilter {
  /** With the accounts that were merged into it. */
  readonly accountId: bigint | null;
  readonly action: AuditAction | null;
}

interface Columns {
  readonly id: bigint;
  readonly at: Date;
  readonly account_id: bigint;
  readonly action: AuditAction;
  readonly actor_id: bigint | null;
  readonly address: string;
  readonly session_id: string | null;
  readonly detail: AuditRow['detail'];
}
type Row = Columns & (KeyColumns | { readonly key_id: null });

const SELECT = `select l.id, l.at, l.account_id, l.action, l.actor_id, l.address, l.session_id::text as session_id,
    l.detail, ${KEY_COLUMNS}`;
const KEYS = 'left join api_key_profile k on k.id = l.key_id left join api_key m on m.id = k.id';

/** $1 account or null for all, $2 action or null; $3 and $4 ids between which the page lies; $5 rows. */
const slice = (name: string, ofAccount: boolean, direction: 'asc' | 'desc') => {
  const order = `order by l.id ${direction} limit $5`;
  const entries = (whose: string): string =>
    `audit_log l where ${whose} and ($2::text is null or l.action = $2) and l.id < $3 and l.id > $4 ${order}`;
  // Of each account no more than the page can need, by its index, before they are merged.
  const from = ofAccount
    ? `unnest(${OWNER_IDS}) as whose (id) cross join lateral (select * from ${entries('l.account_id = whose.id')}) l`
    : `(select * from ${entries('$1::bigint is null')}) l`;
  return sql(name, `${SELECT} from ${from} ${KEYS} ${order}`);
};
const STATEMENTS = {
  account: [slice('auditOfAccount', true, 'desc'), slice('auditOfAccountOldestFirst', true, 'asc')],
  everybody: [slice('auditOfAll', false, 'desc'), slice('auditOfAllOldestFirst', false, 'asc')],
} as const;

const MAX_ID = 2n ** 63n - 1n;

type Reader = Pick<OperationContext, 'db' | 'viewer'>;

/**
 * What is on record, the latest first, page by page; the caller has checked whose account it is.
 * @throws AppError BAD_INPUT, see `connect`
 */
export function listAudit(
  { db, viewer }: Reader,
  args: PageArgs,
  { accountId, action }: AuditFilter,
): Promise<Connection<AuditRow>> {
  const [newestFirst, oldestFirst] = STATEMENTS[accountId === null ? 'everybody' : 'account'];
  return connect<AuditRow>(
    args,
    ({ id }) => [0n, id],
    async ({ after, before, limit, backward }) => {
      const values = [accountId, action, after?.[1] ?? MAX_ID, before?.[1] ?? 0n, limit];
      const rows = await db.query<Row>(backward ? oldestFirst : newestFirst, values);
      return rows.map((row) => rowFor(viewer, row));
    },
  );
}

const BY_ID = sql(
  'auditById',
  `${SELECT} from audit_log l ${KEYS} where l.id = $2 and ($3 or l.account_id = any(${OWNER_IDS}))`,
);

/** One entry that the caller may read: of its own account, the operator every one. null otherwise. */
export async function findAudit({ db, viewer }: Reader, id: bigint): Promise<AuditRow | null> {
  const [row] = await db.query<Row>(BY_ID, [viewer?.userId ?? 0n, id, isOperator(viewer)]);
  return row === undefined ? null : rowFor(viewer, row);
}

/** Customers learn that the operator did something, not which person, from where or with what. */
function rowFor(viewer: Reader['viewer'], row: Row): AuditRow {
  const byOperator = row.actor_id !== null;
  const hidden = byOperator && !isOperator(viewer);
  return {
    id: row.id,
    at: row.at,
    accountId: row.account_id,
    action: row.action,
    byOperator,
    actorId: hidden ? null : row.actor_id,
    address: hidden ? null : row.address,
    apiKey: hidden || row.key_id === null ? null : keyOf(row),
    sessionId: hidden ? null : row.session_id,
    detail: row.detail,
  };
}
