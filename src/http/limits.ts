/** Time and size limits of connections; a client that is slower or larger is cut off. */
export const HTTP_LIMITS = {
  /** Milliseconds for the head of a request. */
  headersTimeoutMs: 10_000,
  /** Milliseconds for a whole request, body included. */
  requestTimeoutMs: 30_000,
  /** Milliseconds that an idle connection is kept. */
  keepAliveTimeoutMs: 65_000,
  /** Milliseconds between looks for late requests. */
  checkingIntervalMs: 2_000,
  /** Connections at once, WebSockets and event streams included; more are closed at once. */
  connections: 10_000,
  headerBytes: 16 * 1024,
  headerCount: 100,
  requestsPerSocket: 10_000,
  /** Milliseconds that running requests get when the server stops. */
  drainMs: 5_000,
  /** Milliseconds between looks for connections that became idle while it stops. */
  drainSweepMs: 50,
} as const;
