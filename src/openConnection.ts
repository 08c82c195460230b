import type { Product } from './units.ts';

/** How a client speaks to the proxy. */
export const PROXY_PROTOCOLS = ['SOCKS5', 'HTTP', 'UDP'] as const;
export type ProxyProtocol = (typeof PROXY_PROTOCOLS)[number];

/** A proxied connection that is open on this instance, as it is now. */
export interface LocalConnection {
  /** Counts the connections of this process, in the order in which they were let in. */
  readonly no: number;
  readonly keyId: bigint;
  readonly product: Product;
  readonly protocol: ProxyProtocol;
  /** What its owner is told of the exit; null until the target is reached. */
  readonly exit: string | null;
  /** `host:port` as the client asked for it; null until then, and where the key does not show its targets. */
  readonly target: string | null;
  /** IP literal. */
  readonly clientAddress: string;
  /** Bytes read from the client under the lease so far; those included that are still on their way to the target. */
  readonly bytesUp: number;
  /** The same from the target. */
  readonly bytesDown: number;
  /** Milliseconds since 1970; never less than that of a lower number. */
  readonly openedAtMs: number;
}

/** The open connections of one instance, by key. */
export interface LocalConnections {
  /** How many the keys have together. */
  count(keyIds: readonly bigint[]): number;
  /**
   * Up to `size` connections of the keys, in the order in which they came.
   * @param passed whether a connection comes before the page; asked in that order until it does not
   */
  list(
    keyIds: readonly bigint[],
    size: number,
    passed?: (connection: Pick<LocalConnection, 'no' | 'openedAtMs'>) => boolean,
  ): LocalConnection[];
  /** @returns undefined when it is over, or belongs to none of the keys */
  find(keyIds: readonly bigint[], no: number): LocalConnection | undefined;
  /** Resets both sides at once. @returns as it was; undefined when it is over, or belongs to none of the keys */
  close(keyIds: readonly bigint[], no: number): LocalConnection | undefined;
}

/** Names a connection in the whole fleet. */
export interface ConnectionRef {
  /** The instance that has it, as the ledger knows it. */
  readonly instanceId: string;
  readonly no: number;
}

/** A proxied connection that is open somewhere in the fleet. */
export interface OpenConnection extends LocalConnection, ConnectionRef {}

/** Where a connection stands in the order of all: when it came, and what tells those apart that came together. */
export type ConnectionPosition = readonly [openedAtMs: bigint, tie: bigint];

/** Numbers of one instance within one millisecond stay far below this. */
const NUMBERS = 2n ** 32n;
/** Hexadecimal digits of the instance's id that tell apart what came to several within one millisecond. */
const INSTANCE_DIGITS = 7;

export function positionOf({
  instanceId,
  no,
  openedAtMs,
}: ConnectionRef & Pick<LocalConnection, 'openedAtMs'>): ConnectionPosition {
  const instance = BigInt(`0x${instanceId.slice(0, INSTANCE_DIGITS)}`);
  return [BigInt(openedAtMs), instance * NUMBERS + (BigInt(no) % NUMBERS)];
}

/** Negative when `left` comes first. */
export function comparePositions(left: ConnectionPosition, right: ConnectionPosition): number {
  const difference = left[0] === right[0] ? left[1] - right[1] : left[0] - right[0];
  return difference < 0n ? -1 : Number(difference > 0n);
}

/** Connections as they were found, in their order. */
export interface FoundConnections {
  readonly connections: readonly OpenConnection[];
  /** How many there are, whether they are among those or not. */
  readonly total: number;
  /** false: an instance that lives has not answered in time; its connections may be missing, or be those of before. */
  readonly complete: boolean;
}

/** What changes of a view, once a second. */
export interface ConnectionsView {
  /** What was found last; undefined before the first look. */
  readonly latest: FoundConnections | undefined;
  /** Counts the looks. */
  readonly looks: number;
  /** Stops looking, for this follower. */
  close(): void;
}

/** The keys whose connections are followed; asked before every look. */
export interface ViewedKeys {
  /** Followers of equal names share their looks. */
  readonly name: string;
  load(): Promise<readonly bigint[]>;
}

/** Open connections of all instances on the same database. */
export interface Connections {
  /**
   * @param askerId account that asks; each has a share of the questions to other instances
   * @param page `after` excluded, at most `size`
   */
  list(
    askerId: bigint,
    keyIds: readonly bigint[],
    page: { readonly after: ConnectionPosition | null; readonly size: number },
  ): Promise<FoundConnections>;
  /** @returns undefined when it is over, belongs to none of the keys, or is on an instance that does not answer */
  find(askerId: bigint, keyIds: readonly bigint[], ref: ConnectionRef): Promise<OpenConnection | undefined>;
  /**
   * Resets both sides at once.
   * @returns false when it is over, or belongs to none of the keys
   * @throws AppError UNAVAILABLE when its instance does not answer in time: it may be closed all the same
   */
  reset(askerId: bigint, keyIds: readonly bigint[], ref: ConnectionRef): Promise<boolean>;
  /**
   * Looks once a second, until the view is closed.
   * @param onLook called after each look
   * @throws AppError TOO_MANY_SUBSCRIPTIONS when as many follow these keys as may
   */
  follow(keys: ViewedKeys, size: number, onLook: () => void): ConnectionsView;
}
