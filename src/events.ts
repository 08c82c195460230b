import type { RefusalCode } from './errors.ts';
import type { EndCause, KeyRules } from './keyRules.ts';
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

/** Refused and ended connections of one key for one reason, as they were added to the count of a day. */
export interface CountedRefusals {
  readonly accountId: bigint;
  readonly keyId: bigint;
  readonly code: RefusalCode;
  /** UTC, ISO 8601. */
  readonly day: string;
  /** How many were added; 0 when that is not known. */
  readonly count: bigint;
  /** How many there have been that day: whoever hears late, twice or not at all finds out by it. */
  readonly total: bigint;
  /** Of the first one that day. */
  readonly firstAt: Date;
  /** Of the last one, as all that follows. */
  readonly at: Date;
  readonly message: string;
  /** null where it is not known, like the address. */
  readonly product: Product | null;
  readonly clientAddress: string | null;
}

/** What the parts of one server, and through Redis the servers of a fleet, tell each other. */
export interface EventMap {
  /** New numbers of usage streams, in ascending order per account; published after commit. */
  accountEvents: readonly AccountEvent[];
  /** Connections were refused or ended; published when they have been counted in the database. */
  refusals: readonly CountedRefusals[];
  /**
   * A session ended, a key was revoked, its secret replaced or its rules changed, or an account suspended: forget
   * cached credentials, ask again about those that are in use, end streams.
   */
  credentialsChanged: {
    readonly accountId: bigint;
    /** null, with `sessionId` null and without `sessionsBut`: every key and session of the account. */
    readonly keyId: bigint | null;
    readonly sessionId: string | null;
    /** Given: only sessions of the account, each one but this (null: each one). Its API keys stay as they are. */
    readonly sessionsBut?: string | null;
    /** true: the credential itself is dead, streams that use it must end. */
    readonly revoked: boolean;
    /** Lookup hashes (hex) of secrets that stop working; empty with `revoked` means all of the key. */
    readonly lookups: readonly string[];
  };
  /** Leases of these keys must be renewed at once: limit changed, credit arrived, key revoked. */
  leasesChanged: { readonly accountId: bigint; readonly keyIds: readonly bigint[] | null };
  /** The operator changed exits, or whom they are reserved for: read them again. */
  exitsChanged: { readonly at: Date };
  /** An instance asks others about their connections: look at once. */
  connectionsAsked: { readonly by: string };
  /**
   * Events of other instances may have been lost (Redis was away and is back): what was learned from
   * events must be read again, cached credentials dropped. Local only, never sent.
   */
  eventsLost: { readonly at: Date };
}

/** Which credentials of its account an event names. */
type Named = Pick<EventMap['credentialsChanged'], 'keyId' | 'sessionId' | 'sessionsBut'>;

/** Whether `credentialsChanged` speaks of this credential, which is one of its account. */
export function names(event: Named, credential: Pick<CredentialRef, 'keyId' | 'sessionId'>): boolean {
  if (event.sessionsBut !== undefined)
    return credential.sessionId !== null && credential.sessionId !== event.sessionsBut;
  if (event.keyId !== null && event.keyId !== credential.keyId) return false;
  return event.sessionId === null || event.sessionId === credential.sessionId;
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

/** What one usage stream needs of its account's feed (`src/live/feed.ts`). */
export interface FeedReader {
  /** The account's number as just read from the database; events that came meanwhile are kept. */
  start(seq: bigint): void;
  /** Last number known without a gap. */
  readonly head: bigint;
  /** Events `after` + 1 and on, contiguous; `missing` when they were pruned. Never rejects. */
  read(after: bigint): FeedPage | Promise<FeedPage>;
  /** Stops following. */
  close(): void;
}

export interface FeedPage {
  readonly events: readonly AccountEvent[];
  readonly missing: boolean;
}

/** Whose rights a stream lives on. */
export interface CredentialRef {
  readonly userId: bigint;
  readonly keyId: bigint | null;
  readonly sessionId: string | null;
  /** Lookup hash (hex) of the API key secret that was presented, when known. */
  readonly lookup?: string;
  /** Number of the rules of the key that are known; absent: they do not matter. */
  readonly rulesNo?: number;
  /** When a merge moves the key to another account, what lives on it goes on there; otherwise it ends as MOVED. */
  readonly follows?: boolean;
}

export type OnRefused = (refusals: CountedRefusals) => void;
export type OnDead = (cause: EndCause) => void;
export type OnRules = (rules: KeyRules) => void;

/** What live streams share within one server (`src/live/live.ts`). */
export interface LiveUsage {
  /** Follows an account; `onAdvance` is called whenever there may be more to read. Open before reading a snapshot. */
  follow(accountId: bigint, onAdvance: () => void): FeedReader;
  /**
   * Tells of refused connections of an account's keys, from when the promise resolves on, each of them once.
   * @returns a function that stops
   */
  followRefusals(accountId: bigint, onRefused: OnRefused): Promise<() => void>;
  /** Somebody streams this account: meters settle it at shorter intervals. */
  watched(accountId: bigint): boolean;
  /**
   * Calls `onDead` once when the credential opens nothing any more, and until then `onRules` when the rules of its
   * key are others than those of `rulesNo`. @returns a function that stops watching
   */
  watchCredential(credential: CredentialRef, onDead: OnDead, onRules?: OnRules): () => void;
  /**
   * Counts a stream of the account until the returned function is called.
   * @throws AppError TOO_MANY_SUBSCRIPTIONS
   */
  admit(accountId: bigint): () => void;
}
