import type { Database } from './database/open.ts';
import type { Events, LiveUsage } from './events.ts';
import type { Keyring } from './crypto.ts';
import type { Logger } from './log.ts';
import type { Throttle } from './throttle.ts';

/** Who calls. */
export interface Viewer {
  readonly kind: 'KEY' | 'SESSION';
  /** User and account have the same id. */
  readonly userId: bigint;
  readonly role: 'USER' | 'ADMIN';
  readonly permissions: readonly string[];
  /** The API key that was presented; null for a session. */
  readonly keyId: bigint | null;
  /** The session that was presented; null for an API key. */
  readonly sessionId: string | null;
  /** Lookup hash (hex) of the API key secret that was presented: streams end when that secret is replaced. */
  readonly lookup?: string;
}

/** What operations need of the rest of the server. Built once, in app.ts. */
export interface Services {
  readonly db: Database;
  readonly events: Events;
  readonly keys: Keyring;
  readonly log: Logger;
  readonly throttle: Throttle;
  readonly now: () => Date;
  /** Base of links, and issuer of session tokens. */
  readonly publicUrl: () => string;
  readonly sessions: SessionLifetimes;
  /** Ends the proxied connections of a key on this instance. @returns how many there were */
  readonly closeConnections: (keyId: bigint) => number;
  /** Feeds of the usage streams, their number per account, and the end of streams with their credential. */
  readonly live: LiveUsage;
}

/** Seconds. */
export interface SessionLifetimes {
  readonly accessSeconds: number;
  readonly refreshSeconds: number;
  readonly lpfSeconds: number;
}

/** Context of one GraphQL operation, over whatever transport it came. */
export interface OperationContext extends Services {
  readonly viewer: Viewer | null;
  /** Address of the client, for throttling and audit. */
  readonly clientAddress: string;
}

/** An operation that only signed-in callers reach. */
export interface ViewerContext extends OperationContext {
  readonly viewer: Viewer;
}
