import { COLLECT_MS, ENDING_SPACING_MS, RETURN_LIMIT_MS } from './limits.ts';
import type { FrozenRow, KeyMeter } from './meter.ts';
import type { Demand } from './pace.ts';

/** How a key is looked at. */
export interface Look {
  readonly now: number;
  /** The account has a live subscriber. */
  readonly watched: boolean;
  /** All credit goes back. */
  readonly draining: boolean;
}

/** Collects what flowed on a key. @returns its settlement, or undefined: nothing needs to be sent now */
export function prepare(meter: KeyMeter, { now, watched, draining }: Look): FrozenRow | undefined {
  const used = meter.drain();
  const { spendable, starving, price } = meter;
  const demand: Demand = { used, spendable, starving, price, watched };
  meter.pace.observe(demand, now);
  if (awaitsReturns(meter, now, draining)) return undefined;
  meter.urgent = false;
  const target = planTarget(meter, demand, now, draining);
  const row = target === undefined ? undefined : meter.freeze(target);
  meter.recalled = false;
  if (row === undefined) return undefined;
  // A probe follows once everything has been given back; asking for anything is a probe, too.
  meter.probing = meter.connections.size > 0 && (meter.refreshing || (meter.probing && !row.asks));
  meter.refreshing = false;
  meter.hourEnded = false;
  meter.pace.sent(now);
  return row;
}

/** What shall go back goes back in one piece, once the other threads have let go of their part. */
function awaitsReturns(meter: KeyMeter, now: number, draining: boolean): boolean {
  if (!meter.refreshing && !meter.recalled && !draining) return false;
  meter.sweep();
  if (!meter.returning) meter.returningSince = undefined;
  else meter.returningSince ??= now;
  if (now - (meter.returningSince ?? now) >= RETURN_LIMIT_MS || !meter.returning) return false;
  meter.retryAt = now + COLLECT_MS;
  return true;
}

/**
 * Decides what a key should hold after settling, once it has been drained.
 * @returns nano-credits, or undefined: nothing needs to be sent now
 */
function planTarget(meter: KeyMeter, demand: Demand, now: number, draining: boolean): number | undefined {
  const { spendable } = demand;
  const flowed = meter.tally.amount > 0 || meter.hourEnded;
  const due = flowed && meter.passAt <= now;
  if (meter.refreshing) return 0;
  if (draining) return flowed || spendable > 0 ? 0 : undefined;
  if (meter.recalled) return recalledTarget(meter, spendable, flowed);
  if (meter.starving) return Math.max(meter.pace.target(demand), spendable + meter.price, meter.needed);
  if (meter.probing) return spendable + meter.price;
  if (meter.pace.idle(now)) return flowed || spendable > 0 ? 0 : undefined;
  if (!due && !meter.short) return undefined;
  const target = meter.pace.target(demand);
  if (due || spendable < meter.pace.renewBelow) return target;
  // Enough is lent to connections that are busy. The ledger may be asked so often only: look again a little later.
  const soonMs = meter.pace.rate === 0 ? 0 : (spendable - meter.pace.renewBelow) / meter.pace.rate;
  meter.retryAt = now + Math.min(Math.max(soonMs, COLLECT_MS), ENDING_SPACING_MS);
  return undefined;
}

/** Busy keys keep a little; who cannot buy a byte with what it holds, or waits for more anyway, gives all. */
function recalledTarget(meter: KeyMeter, spendable: number, flowed: boolean): number | undefined {
  if (spendable === 0 && !flowed && !meter.starving && meter.connections.size === 0) return undefined;
  return meter.covers(meter.price) && !meter.starving ? meter.pace.kept(spendable) : 0;
}
