import { sql, type Sql } from '../../database/sql.ts';
import { productNumber } from '../../units.ts';
import { accountEvent, type EventRow } from './eventRow.ts';
import type { GrantReason, TickAnswer, TickLine, TickRequest, TickResult } from './types.ts';

const TICK = sql(
  'ledgerTick',
  `select part, label, at, account_id, key_id, seq, granted, spent, reason, contended, unreserved, product, up, down,
     amount, balance, remaining, key_remaining
   from ledger_tick($1::uuid, $2::timestamptz, $3::bigint[], $4::bigint[], $5::bigint[],
     $6::bigint[], $7::int[], $8::timestamptz[], $9::bigint[], $10::bigint[])`,
);

/** Most leases in one call: a bound on how long it holds its locks. */
export const MAX_TICK_REQUESTS = 1_000;

/**
 * Settles and renews the leases of one instance, in one statement. Idempotent by `seq`: after a
 * lost answer send the same again. Retry SQLSTATE 40001 and 40P01 too.
 * @param lines each belongs to a request of the same call; several may name one key
 * @param now database clock when absent; tests hand in their own
 * @throws RangeError for a key named twice, a line without a request, or too many requests
 */
export async function tick(
  db: Sql,
  instanceId: string,
  requests: readonly TickRequest[],
  lines: readonly TickLine[],
  now?: Date,
): Promise<TickResult> {
  assertBatch(requests, lines);
  const rows = await db.query<TickRow>(TICK, [
    instanceId,
    now ?? null,
    requests.map((request) => request.keyId),
    requests.map((request) => request.seq),
    requests.map((request) => request.want),
    lines.map((line) => line.keyId),
    lines.map((line) => productNumber(line.product)),
    lines.map((line) => line.hour.toISOString()),
    lines.map((line) => line.up),
    lines.map((line) => line.down),
  ]);
  return tickResult(rows);
}

function assertBatch(requests: readonly TickRequest[], lines: readonly TickLine[]): void {
  const keys = new Set(requests.map((request) => request.keyId));
  if (requests.length > MAX_TICK_REQUESTS) throw new RangeError(`more than ${MAX_TICK_REQUESTS} leases in one tick`);
  if (keys.size !== requests.length) throw new RangeError('a key is named twice in one tick');
  if (lines.some((line) => !keys.has(line.keyId))) throw new RangeError('a line belongs to no request of its tick');
}

const HEAD = 0;
const ANSWER = 1;

interface HeadRow {
  readonly part: typeof HEAD;
  readonly label: 'OK' | 'FENCED';
  readonly at: Date;
}
interface AnswerRow {
  readonly part: typeof ANSWER;
  readonly label: TickAnswer['outcome'];
  readonly key_id: bigint;
  readonly granted: bigint;
  readonly spent: bigint;
  readonly seq: bigint;
  readonly reason: GrantReason | null;
  readonly contended: boolean;
  readonly unreserved: bigint;
}
type UsageRow = Omit<EventRow, 'kind'> & { readonly part: 2 };
type TickRow = HeadRow | AnswerRow | UsageRow;

function tickResult(rows: readonly TickRow[]): TickResult {
  let head: HeadRow | undefined;
  const answers: TickAnswer[] = [];
  const events: TickResult['events'][number][] = [];
  for (const row of rows) {
    if (row.part === HEAD) head = row;
    else if (row.part === ANSWER) answers.push(tickAnswer(row));
    else events.push(accountEvent({ ...row, kind: 'usage' }));
  }
  if (head === undefined) throw new Error('ledger_tick returned no head row');
  return { fenced: head.label === 'FENCED', now: head.at, answers, events };
}

function tickAnswer(row: AnswerRow): TickAnswer {
  return {
    keyId: row.key_id,
    outcome: row.label,
    granted: row.granted,
    spent: row.spent,
    seq: row.seq,
    reason: row.reason,
    contended: row.contended,
    left: row.unreserved,
  };
}
