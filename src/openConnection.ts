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
