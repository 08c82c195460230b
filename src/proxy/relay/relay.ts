import type { RefusalCode } from '../../errors.ts';
import type { MeterSession } from '../../metering/session.ts';
import type { Setback } from '../exits/exit.ts';
import type { UpstreamHandshake } from '../exits/upstream.ts';
import type { Abandonment } from './abandonment.ts';

/** An address to dial, as the fence pinned it. */
export interface Peer {
  /** IP literal. */
  readonly address: string;
  readonly port: number;
}

export interface DialOptions {
  /** Milliseconds until the attempt is given up. */
  readonly timeoutMs: number;
  /** Abandons the attempt, when the client has gone or the key was revoked. One attempt at a time listens. */
  readonly abandonment: Abandonment;
  /** Address of this machine to dial from; the system chooses when absent. */
  readonly localAddress?: string;
}

/**
 * Why a dial failed, in the terms of RFC 1928, section 6. `LOCAL_ADDRESS_MISSING`: the address to
 * dial from is none of this machine. `NO_RESOURCES`: this machine is short of ports, descriptors or memory.
 */
export type DialFailure =
  | 'NETWORK_UNREACHABLE'
  | 'HOST_UNREACHABLE'
  | 'CONNECTION_REFUSED'
  | 'TIMED_OUT'
  | 'LOCAL_ADDRESS_MISSING'
  | 'NO_RESOURCES'
  | 'ABANDONED';

export class DialError extends Error {
  override readonly name = 'DialError';
  readonly failure: DialFailure;

  constructor(failure: DialFailure, cause?: unknown) {
    super(failure, { cause });
    this.failure = failure;
  }
}

/** The two ends of a tunnel and what it may spend. From here on the relay owns both ends and the session. */
export interface TunnelPlan<Endpoint> {
  readonly client: Endpoint;
  readonly target: Endpoint;
  /** Payload that the client sent before it had the reply; goes first, and is metered like the rest. */
  readonly early: Buffer;
  /** The client had already shut down its sending side: after `early` comes the end. */
  readonly clientEnded: boolean;
  readonly session: MeterSession;
  /** Milliseconds without a byte in either direction after which the tunnel is cut. */
  readonly idleTimeoutMs: number;
  /**
   * Called once, when both ends are closed, what was not accepted is refunded and the session is
   * closed. @param cut why the meter ended it, when it did
   */
  readonly closed: (cut: RefusalCode | undefined) => void;
}

export interface Tunnel {
  /** Cuts both ends at once, with resets so that neither takes the cut for a regular end. Idempotent. */
  abort(): void;
}

/**
 * Moves bytes between two ends, each of them spent before it is passed on. `Endpoint` is what
 * the relay works on: sockets of Node, or descriptors when the kernel splices.
 */
export interface Relay<Endpoint> {
  /** @throws DialError */
  dial(peer: Peer, options: DialOptions): Promise<Endpoint>;
  /**
   * Leads the handshake with the upstream proxy that was dialled. What the target sends behind it
   * belongs to the tunnel. @returns why it failed, when it did; the end is still open then
   */
  negotiate(
    endpoint: Endpoint,
    handshake: UpstreamHandshake,
    options: Pick<DialOptions, 'timeoutMs' | 'abandonment'>,
  ): Promise<Setback | undefined>;
  /** The local address of a dialled end, for the reply. */
  localAddress(endpoint: Endpoint): Peer | undefined;
  /** Gives up a dialled end that is not going to be relayed. */
  discard(endpoint: Endpoint): void;
  start(plan: TunnelPlan<Endpoint>): Tunnel;
}
