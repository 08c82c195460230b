/** Bounds that both relays keep, each in its own way. */

/** Milliseconds from the connection until the request is complete. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Milliseconds that a refused client has to read its answer and close. */
export const LINGER_MS = 1_000;
/** Milliseconds for all attempts to reach a target. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Handshakes without a valid key at once; beyond it the oldest make room. */
export const MAX_STRANGERS = 8_192;
/** Connections that the kernel completes before they are accepted; it may cap them lower. */
export const BACKLOG = 4_096;
/** Seconds of silence before the system probes whether the other side is still there. */
export const KEEP_ALIVE_SECONDS = 60;
/** A connection takes one descriptor for its client and one for its target. */
export const DESCRIPTORS_PER_CONNECTION = 2;
/** At the limit of connections nothing is accepted, until only this share of it is in use. */
export const RESUME_SHARE = 0.98;
