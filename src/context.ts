import type { Database } from './database/open.ts';
import type { Events, LiveUsage } from './events.ts';
import type { Keyring } from './crypto.ts';
import type { KeyScope } from './keyRules.ts';
import type { Logger } from './log.ts';
import type { Connections } from './openConnection.ts';
import type { ExitStats } from './proxy/exits/exit.ts';
import type { ProxyProduct } from './proxy/house.ts';
import type { Throttle } from './throttle.ts';

/** Who calls. */
export interface Viewer {
  readonly kind: 'KEY' | 'SESSION';
  /** User and account have the same id. */
  readonly userId: bigint;
  readonly role: 'USER' | 'ADMIN';
  readonly permissions: readonly string[];
  /** Of the API key; a session has all. */
  readonly scopes: readonly KeyScope[];
  /** The API key that was presented; null for a session. */
  readonly keyId: bigint | null;
  /** The session that was presented; null for an API key. */
  readonly sessionId: string | null;
  /** Lookup hash (hex) of the API key secret that was presented: streams end when that secret is replaced. */
  readonly lookup?: string;
  /** Number of the rules of the API key by which it was let in: streams are judged anew when it has changed. */
  readonly rulesNo?: number;
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
  /** Open proxied connections, of this instance and of others. */
  readonly connections: Connections;
  /** Feeds of the usage streams, their number per account, and the end of streams with their credential. */
  readonly live: LiveUsage;
  /** Verifies signatures of wallets. */
  readonly wallets: Wallets;
  /** Tells the job that sends mails that there are new ones in the queue. Call after the commit. */
  readonly wakeMail: () => void;
  /** @returns why webhooks may not be sent to the URL, in words for its owner; undefined: they may */
  readonly webhookTarget: (url: string) => string | undefined;
  /** Ways out of this instance. */
  readonly exits: Exits;
}

/** A way out, as this instance has it. */
export interface ExitState extends Omit<ExitStats, 'id'> {
  /** For everybody: tells nothing of the exit but that it is the same one; the same everywhere. */
  readonly name: string;
  readonly product: ProxyProduct;
  /** For the operator: as configured, without the password; unique in its product. */
  readonly label: string;
  /** From EXITS_SHARED or EXITS_DEDICATED, or added by an operator. */
  readonly origin: 'CONFIGURED' | 'ADDED';
}

/** What operations need of the exits. */
export interface Exits {
  /** All of them, in the order in which they are taken. */
  list(): readonly ExitState[];
  /** What the exit of this label is called. */
  name(product: ProxyProduct, label: string): string;
  /** Makes the exits what the database says now. @throws when it cannot be read */
  refresh(): Promise<void>;
}

/** What sign-in with a wallet needs of the chains. */
export interface Wallets {
  /** Whether messages for this chain are given out: an RPC is configured, or it is Ethereum (1), for plain wallets. */
  supports(chainId: bigint): boolean;
  /** Whether the key of this very address has signed the text (EIP-191). No chain is asked. */
  signedByKey(signed: SignedText): Promise<boolean>;
  /**
   * Whether the wallet has signed the text: EOA (EIP-191), contract (EIP-1271) or one not yet deployed (ERC-6492),
   * contracts on the given chain.
   * @throws AppError UNAVAILABLE when the chain had to be asked and did not answer, or not in time
   */
  verify(signed: SignedText, terms?: ChainTerms): Promise<boolean>;
}

/** On what terms a chain is asked, if it has to be. */
export interface ChainTerms {
  /** Comes before the question, which is not put when this throws. */
  readonly allow?: () => Promise<void>;
  /** Ends the wait for the answer. */
  readonly signal?: AbortSignal;
}

export interface SignedText {
  /** `0x` and 40 hexadecimal digits, in any case. */
  readonly address: string;
  readonly message: string;
  /** `0x` and hexadecimal digits. */
  readonly signature: string;
  readonly chainId: bigint;
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
