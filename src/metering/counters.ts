/** Sums since the start, for metrics. */
export interface SettleCounters {
  /** Rows acknowledged. */
  settlements: number;
  /** Calls answered, how long they took in total and the longest, in milliseconds. */
  calls: number;
  callMs: number;
  longestCallMs: number;
  /** Calls that failed or got no answer; they are repeated. */
  failures: number;
  /** Rows the ledger refused, or that did not add up: faults of this program. */
  refused: number;
  /** Bytes that flowed and can never be billed: the instance was fenced, or a row refused. */
  lostBytes: number;
}

export function zeroCounters(): SettleCounters {
  return { settlements: 0, calls: 0, callMs: 0, longestCallMs: 0, failures: 0, refused: 0, lostBytes: 0 };
}
