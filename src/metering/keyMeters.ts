import type { RefusalCode } from '../errors.ts';
import { KeyMeter, type MeterHost } from './meter.ts';
import type { AuthenticatedKey } from './session.ts';

/** The meters of the keys in use. */
export class KeyMeters {
  readonly #host: MeterHost;
  readonly #meters = new Map<bigint, KeyMeter>();
  /** Last sequence of keys whose meter was dropped: the lease in the database goes on counting. */
  readonly #sequences = new Map<bigint, bigint>();

  constructor(host: MeterHost) {
    this.#host = host;
  }

  find(keyId: bigint): KeyMeter | undefined {
    return this.#meters.get(keyId);
  }

  /** The meter of a key, made if there is none. */
  of({ keyId, accountId }: AuthenticatedKey): KeyMeter {
    const known = this.#meters.get(keyId);
    if (known === undefined) {
      return this.add({ keyId, accountId }, { seq: this.#sequences.get(keyId) ?? 0n, reserved: 0 });
    }
    // A merge moves keys to another account.
    known.accountId = accountId;
    return known;
  }

  /** @param lease what the ledger holds already, and the last sequence */
  add({ keyId, accountId }: AuthenticatedKey, lease: { seq: bigint; reserved: number }): KeyMeter {
    const meter = new KeyMeter(this.#host, keyId, accountId, lease);
    this.#meters.set(keyId, meter);
    this.#sequences.delete(keyId);
    return meter;
  }

  /** Drops the meter of a key that nobody uses. */
  retire(meter: KeyMeter): void {
    this.#meters.delete(meter.keyId);
    this.#sequences.set(meter.keyId, meter.seq);
  }

  /** Drops a meter with everything in it. */
  kill(meter: KeyMeter): void {
    meter.dead = true;
    this.#meters.delete(meter.keyId);
  }

  /** Meters of these keys, which are the account's now, or of all keys of the account. */
  select(accountId: bigint, keyIds: readonly bigint[] | null): KeyMeter[] {
    if (keyIds !== null) {
      const named = keyIds.map((keyId) => this.find(keyId)).filter((meter) => meter !== undefined);
      for (const meter of named) meter.accountId = accountId;
      return named;
    }
    return [...this.#meters.values()].filter((meter) => meter.accountId === accountId);
  }

  endAll(reason: RefusalCode): void {
    for (const meter of Array.from(this.#meters.values())) meter.endAll(reason);
  }

  killAll(): void {
    for (const meter of this.#meters.values()) meter.dead = true;
  }

  get openSessions(): number {
    return this.#sum((meter) => meter.connections.size);
  }

  get unbilledBytes(): number {
    return this.#sum((meter) => meter.unbilledBytes);
  }

  #sum(figure: (meter: KeyMeter) => number): number {
    let sum = 0;
    for (const meter of this.#meters.values()) sum += figure(meter);
    return sum;
  }
}
