import type { IncomingHttpHeaders } from 'node:http';

/** A request that is not GraphQL and not a probe, as the REST layer sees it. */
export interface RestRequest {
  readonly method: string;
  /** Path without the query, as sent. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** At most 256 KiB. */
  readonly body: Buffer;
  /** Address of the socket. */
  readonly clientAddress: string;
}

export interface RestReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @returns undefined when no row of its table has this path */
export type RestHandler = (request: RestRequest) => Promise<RestReply> | undefined;
