import type { RefusalCode } from '../errors.ts';
import type { GrantReason, TickAnswer } from '../resolvers/ledger/types.ts';
import { CONTENDED_LIMIT_MS, CONTENDED_RETRY_MS, LAST_BYTES_MS } from './limits.ts';
import type { FrozenRow, KeyMeter } from './meter.ts';

/** What a connection is told, by the reason why the ledger lends nothing more. */
const REFUSALS: Readonly<Record<GrantReason, RefusalCode>> = {
  BALANCE: 'OUT_OF_CREDIT',
  ACCOUNT_DAY: 'LIMIT_DAY',
  ACCOUNT_WEEK: 'LIMIT_WEEK',
  ACCOUNT_MONTH: 'LIMIT_MONTH',
  KEY_DAY: 'LIMIT_DAY',
  KEY_WEEK: 'LIMIT_WEEK',
  KEY_MONTH: 'LIMIT_MONTH',
  KEY_REVOKED: 'KEY_REVOKED',
  ACCOUNT_SUSPENDED: 'ACCOUNT_SUSPENDED',
  SHARE: 'OUT_OF_CREDIT',
};

/** What is to be done after an answer. */
export interface Verdict {
  /** Other keys of the account on this instance should give back what they do not need. */
  readonly recallSiblings: boolean;
}

const NOTHING: Verdict = { recallSiblings: false };

/** Acts on a settlement that was applied: lets connections go on, ask again, or end. */
export function judge(meter: KeyMeter, row: FrozenRow, answer: TickAnswer, now: number): Verdict {
  const gained = meter.acknowledge(answer);
  meter.pace.left = Number(answer.left);
  if (answer.reason === 'KEY_REVOKED' || answer.reason === 'ACCOUNT_SUSPENDED') {
    meter.endAll(REFUSALS[answer.reason]);
    meter.probing = false;
    meter.refreshing = meter.reserved > 0;
    return NOTHING;
  }
  meter.serve();
  // A replay tells the state, not why; and who did not ask was not refused.
  if (answer.outcome === 'REPLAY' || !row.asks) return NOTHING;
  if (gained > 0) {
    meter.contendedAt = undefined;
    meter.exhaustedAt = undefined;
    return NOTHING;
  }
  return refused(meter, answer, now);
}

function refused(meter: KeyMeter, answer: TickAnswer, now: number): Verdict {
  const reason = answer.reason ?? 'SHARE';
  if (!answer.contended && reason !== 'SHARE') {
    exhausted(meter, REFUSALS[reason], now);
    return NOTHING;
  }
  meter.retryAt = now + CONTENDED_RETRY_MS;
  if (!meter.starving) return NOTHING;
  meter.contendedAt ??= now;
  if (now - meter.contendedAt >= CONTENDED_LIMIT_MS) {
    meter.finish(REFUSALS[reason]);
    meter.contendedAt = undefined;
  }
  return { recallSiblings: answer.contended };
}

/** Nothing more will come. What has been spent may still be delivered: ending at once would cut it off. */
function exhausted(meter: KeyMeter, refusal: RefusalCode, now: number): void {
  meter.contendedAt = undefined;
  meter.exhaustedAt ??= now;
  if ((meter.drainDelivers() || meter.returning) && now - meter.exhaustedAt < LAST_BYTES_MS) {
    meter.retryAt = now + CONTENDED_RETRY_MS;
    meter.probing = true;
    return;
  }
  meter.exhaustedAt = undefined;
  meter.finish(refusal);
}
