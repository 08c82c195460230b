import type { ViewerContext } from '../../context.ts';
import { sqlState, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { formatCredits } from '../../units.ts';
import { audit } from '../audit/record.ts';
import { post, type Posting, type PostResult } from '../ledger/post.ts';
import { transaction } from '../transaction.ts';
import { findTransaction } from '../usage/findTransaction.ts';
import type { TransactionRow } from '../usage/transactionRows.ts';
import { loadUser } from './loadUser.ts';
import type { UserRow } from './rows.ts';

export interface Adjustment {
  /** Signed nano-credits, not 0. */
  readonly amount: bigint;
  readonly reason: string;
  readonly idempotencyKey: string;
}

/**
 * Gives or takes credit, once per idempotency key; for the operator.
 * @throws AppError NOT_FOUND; IDEMPOTENCY_MISMATCH when the key was used with another user or
 *   amount; INSUFFICIENT_CREDIT when the balance, less what is lent to running traffic, does not cover it;
 *   BAD_INPUT when the balance cannot hold it
 */
export function adjustBalance(
  ctx: ViewerContext,
  userId: bigint,
  { amount, reason, idempotencyKey }: Adjustment,
): Promise<{ user: UserRow; transaction: TransactionRow }> {
  // Encoded, because the ledger reserves some characters and prefixes.
  const id = `adjust:${Buffer.from(idempotencyKey).toString('base64url')}`;
  return transaction(ctx, async (tx, publish) => {
    const posting = { id, kind: 'ADJUSTMENT', contra: 'ADJUST', amount, ref: reason, floor: true } as const;
    let accountId = userId;
    let result = await postWithinRange(tx, { ...posting, accountId });
    if (result.outcome === 'MERGED' && result.target !== null) {
      accountId = result.target;
      result = await postWithinRange(tx, { ...posting, accountId });
    }
    requirePosted(result);
    publish('accountEvents', result.events);
    publish('leasesChanged', { accountId, keyIds: null });
    if (result.outcome === 'APPLIED') {
      const detail = { amount: formatCredits(amount), reason, transaction: String(result.txId) };
      await audit(tx, ctx, { accountId, action: 'BALANCE_ADJUSTED', detail });
    }
    const entry = await findTransaction({ db: tx, accountId, id: result.txId ?? 0n });
    if (entry === null) throw new Error('the adjustment was posted but is not there');
    return { user: await loadUser(tx, accountId), transaction: entry };
  });
}

/** SQLSTATE numeric_value_out_of_range: the balance would leave 64 bits. */
const OUT_OF_RANGE = '22003';

async function postWithinRange(tx: Sql, posting: Posting): Promise<PostResult> {
  try {
    return await post(tx, posting);
  } catch (cause) {
    if (sqlState(cause) !== OUT_OF_RANGE) throw cause;
    throw new AppError('BAD_INPUT', { message: 'amount: the balance cannot hold that much', field: 'amount', cause });
  }
}

function requirePosted({ outcome }: PostResult): void {
  if (outcome === 'MISMATCH') throw new AppError('IDEMPOTENCY_MISMATCH');
  if (outcome === 'INSUFFICIENT') throw new AppError('INSUFFICIENT_CREDIT');
  if (outcome !== 'APPLIED' && outcome !== 'REPLAY') throw new AppError('NOT_FOUND');
}
