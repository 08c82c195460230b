import { sql, type Sql } from '../../database/sql.ts';

/** Silence after which an instance is taken for dead. */
export const INSTANCE_TTL_MS = 15_000;
/** How long after its end an hour may still get bytes before it is closed. */
export const CLOSE_GRACE_MS = 120_000;
/** How long events of the usage streams can be resumed from. */
export const EVENT_RETENTION_MS = 900_000;
/** How long a fenced instance, its leases and what they lost are remembered. */
export const INSTANCE_RETENTION_MS = 30 * 86_400_000;
/** Hours closed, and accounts pruned, in one transaction: a bound on how long it holds its locks. */
export const CLOSE_BATCH = 200;
export const PRUNE_BATCH = 100;

const MS = `interval '1 millisecond'`;
const EXPIRE = sql(
  'ledgerExpire',
  `select instance_id, leases, lost from ledger_expire($1::bigint * ${MS}, $2::timestamptz)`,
);
const CLOSE = sql('ledgerClose', `select ledger_close($1::bigint * ${MS}, $2::int, $3::timestamptz) as count`);
const PRUNE = sql('ledgerPrune', `select ledger_prune($1::bigint * ${MS}, $2::int, $3::timestamptz) as count`);
const FORGET = sql(
  'ledgerForgetInstances',
  `select ledger_forget_instances($1::bigint * ${MS}, $2::timestamptz) as count`,
);

/** An instance that was found dead. */
export interface ExpiredInstance {
  readonly instanceId: string;
  /** Leases that held credit. */
  readonly leases: bigint;
  /** Nano-credits they held: the most that was forwarded without being billed. */
  readonly lost: bigint;
}

/**
 * Fences the instances that have been silent for `ttlMs` and frees what they held. Embedded at
 * start: every earlier instance is dead, so call it with 0 before `openInstance`. Elsewhere only an
 * instance whose own beat ran without a gap for one TTL may call it, or an outage of the database
 * would fence everybody.
 */
export async function expire(db: Sql, ttlMs: number = INSTANCE_TTL_MS, now?: Date): Promise<ExpiredInstance[]> {
  const rows = await db.query<{ instance_id: string; leases: bigint; lost: bigint }>(EXPIRE, [ttlMs, now ?? null]);
  return rows.map(({ instance_id, leases, lost }) => ({ instanceId: instance_id, leases, lost }));
}

/**
 * Closes hours that ended `graceMs` ago, up to `CLOSE_BATCH`. The jobs run it often.
 * @returns how many; call again while it is `CLOSE_BATCH`
 */
export async function close(db: Sql, now?: Date, graceMs: number = CLOSE_GRACE_MS): Promise<number> {
  return count(await db.query<Count>(CLOSE, [graceMs, CLOSE_BATCH, now ?? null]));
}

/**
 * Deletes events older than `keepMs`, of up to `PRUNE_BATCH` accounts.
 * @returns how many accounts; call again while it is `PRUNE_BATCH`
 */
export async function prune(db: Sql, now?: Date, keepMs: number = EVENT_RETENTION_MS): Promise<number> {
  return count(await db.query<Count>(PRUNE, [keepMs, PRUNE_BATCH, now ?? null]));
}

/** Deletes fenced instances, and their leases, that have been silent for `keepMs`. @returns how many */
export async function forgetInstances(db: Sql, now?: Date, keepMs: number = INSTANCE_RETENTION_MS): Promise<number> {
  return count(await db.query<Count>(FORGET, [keepMs, now ?? null]));
}

interface Count {
  readonly count: number;
}

function count([row]: readonly Count[]): number {
  if (row === undefined) throw new Error('the ledger returned no row');
  return row.count;
}
