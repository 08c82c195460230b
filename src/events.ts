import type { Product } from './units.ts';

/** A row of `usage_event`, as it travels between the ledger and the live streams. Amounts in nano-credits. */
export interface AccountEvent {
  readonly accountId: bigint;
  readonly seq: bigint;
  readonly at: Date;
  readonly kind: 'usage' | 'entry' | 'limit' | 'merge';
  readonly keyId: bigint | null;
  readonly product: Product | null;
  readonly up: bigint;
  readonly down: bigint;
  /** Signed change of the balance. */
  readonly amount: bigint;
  /** Balance after the event. */
  readonly balance: bigint;
  /** Account's remaining after the event. */
  readonly remaining: bigint;
  /** Least left of the key's own windows after the event; null when it has no limit. */
  readonly keyRemaining: bigint | null;
}

/** What the parts of one server, and through Redis the servers of a fleet, tell each other. */
export interface EventMap {
  /** New numbers of usage streams, in ascending order per account; published after commit. */
  accountEvents: readonly AccountEvent[];
  /** A key was revoked or its secret replaced, or an account suspended: forget cached credentials, end streams. */
  credentialsChanged: {
    readonly accountId: bigint;
    /** null: every key and session of the account. */
    readonly keyId: bigint | null;
    readonly sessionId: string | null;
    /** true: the credential itself is dead, streams that use it must end. */
    readonly revoked: boolean;
    /** Lookup hashes (hex) of secrets that stop working; empty with `revoked` means all of the key. */
    readonly lookups: readonly string[];
  };
  /** Leases of these keys must be renewed at once: limit changed, credit arrived, key revoked. */
  leasesChanged: { readonly accountId: bigint; readonly keyIds: readonly bigint[] | null };
}

export type EventName = keyof EventMap;
export type Listener<Name extends EventName> = (event: EventMap[Name]) => void;

/** Publish and subscribe. In process it is synchronous; with Redis remote events follow. */
export interface Events {
  publish<Name extends EventName>(name: Name, event: EventMap[Name]): void;
  /** @returns a function that unsubscribes */
  subscribe<Name extends EventName>(name: Name, listener: Listener<Name>): () => void;
}

/** Events within one process. A listener that throws does not keep the others from hearing. */
export function localEvents(onError: (error: unknown) => void): Events {
  const listeners = new Map<EventName, Set<Listener<never>>>();
  return {
    publish(name, event) {
      for (const listener of listeners.get(name) ?? []) {
        try {
          (listener as Listener<typeof name>)(event);
        } catch (error) {
          onError(error);
        }
      }
    },
    subscribe(name, listener) {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(listener));
      return () => void set.delete(listener);
    },
  };
}
