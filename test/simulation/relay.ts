import { randomUUID } from 'node:crypto';

import type { TickAnswer, TickLine, TickRequest } from '../../src/resolvers/ledger/types.ts';
import { hourStart, PRICE_PER_BYTE, type Product } from '../../src/units.ts';
import { assertHolds } from './failure.ts';

/** A settlement on its way: sent again, unchanged, until it is acknowledged. */
export interface Frozen {
  readonly request: TickRequest;
  readonly lines: readonly TickLine[];
  /** The database has applied it (the answer may still have been lost). */
  executed: boolean;
}

/** What one instance knows of its lease of one key. */
export interface RelayLease {
  readonly keyId: bigint;
  /** Last acknowledged settlement. */
  seq: bigint;
  /** Nano-credits forwarded, settled or not. */
  spent: bigint;
  granted: bigint;
  /** Forwarding stops there: never above what the database has granted. */
  ceiling: bigint;
  pending: TickLine[];
  frozen: Frozen | undefined;
  recalled: boolean;
}

/** A process that relays traffic, by the rules of ARCHITECTURE.md, "Ledger". */
export interface Instance {
  readonly id: string;
  readonly leases: Map<bigint, RelayLease>;
  /** STOPPED: as by SIGSTOP, wakes later. */
  state: 'LIVE' | 'STOPPED' | 'CRASHED';
  /** The ledger has expired it; it may not know yet. */
  fenced: boolean;
  beatAt: number;
}

export function newRelay(now: Date): Instance {
  return { id: randomUUID(), leases: new Map(), state: 'LIVE', fenced: false, beatAt: now.getTime() };
}

export function leaseOf(instance: Instance, keyId: bigint): RelayLease {
  const known = instance.leases.get(keyId);
  if (known !== undefined) return known;
  const lease: RelayLease = {
    keyId, seq: 0n, spent: 0n, granted: 0n, ceiling: 0n, pending: [], frozen: undefined, recalled: false,
  }; // prettier-ignore
  instance.leases.set(keyId, lease);
  return lease;
}

/** Forwards up to `bytes` under the lease. @returns the line it adds, if any */
export function forward(lease: RelayLease, product: Product, bytes: bigint, now: Date): TickLine | undefined {
  const price = PRICE_PER_BYTE[product];
  const room = (lease.ceiling - lease.spent) / price;
  const count = bytes < room ? bytes : room;
  if (count <= 0n) return undefined;
  lease.spent += count * price;
  const line = { keyId: lease.keyId, product, hour: hourStart(now), up: count / 3n, down: count - count / 3n };
  lease.pending.push(line);
  return line;
}

/** Freezes what is pending into the next settlement, and lowers the ceiling before it is sent. */
export function freeze(lease: RelayLease, want: bigint): Frozen {
  const frozen = { request: { keyId: lease.keyId, seq: lease.seq + 1n, want }, lines: lease.pending, executed: false };
  const ceiling = lease.spent + want;
  lease.ceiling = lease.granted < ceiling ? lease.granted : ceiling;
  lease.pending = [];
  lease.frozen = frozen;
  return frozen;
}

/** Takes the acknowledgement of the frozen settlement. */
export function acknowledge(lease: RelayLease, answer: TickAnswer): void {
  const { frozen } = lease;
  if (frozen === undefined || frozen.request.seq !== answer.seq) return;
  assertHolds(
    answer.spent + costOf(lease.pending) === lease.spent,
    () => `settled ${answer.spent} of key ${lease.keyId}`,
  );
  lease.seq = answer.seq;
  lease.granted = answer.granted;
  lease.ceiling = answer.granted;
  lease.frozen = undefined;
  lease.recalled = false;
}

/** What would be lost if the instance died now. */
export function unsettled(lease: RelayLease): TickLine[] {
  const { frozen } = lease;
  return frozen === undefined || frozen.executed ? lease.pending : [...frozen.lines, ...lease.pending];
}

export function costOf(lines: readonly TickLine[]): bigint {
  return lines.reduce((sum, { up, down, product }) => sum + (up + down) * PRICE_PER_BYTE[product], 0n);
}
