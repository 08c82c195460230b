import type { UpstreamLogin } from './config.ts';
import type { Setback } from './exit.ts';

/** What is to be done after a message of an upstream proxy. */
export type UpstreamMove =
  | { readonly kind: 'SEND'; readonly bytes: Uint8Array }
  /** The target is reached: what comes behind the message is from the target. */
  | { readonly kind: 'OPEN' }
  | { readonly kind: 'FAIL'; readonly setback: Setback };

/** What the upstream proxy is asked for. */
export interface UpstreamRequest {
  readonly login: UpstreamLogin | undefined;
  /** IP literal, as the fence pinned it: the upstream proxy has no name to resolve anew. */
  readonly address: string;
  readonly port: number;
}

/**
 * The client's side of a handshake with an upstream proxy, whatever carries its bytes: what came so
 * far goes in, what to do comes out. Bounded; no input and output here.
 */
export interface UpstreamHandshake {
  /** To send first. */
  readonly hello: Uint8Array;
  /** Reads the next message from the start of what was received; undefined while it is incomplete. */
  read(bytes: Buffer): { readonly message: UpstreamMove; readonly length: number } | undefined;
  /**
   * Whose fault it is that no more came: before it was asked for the target the upstream proxy's;
   * afterwards it may be waiting for the target, or have closed because of it.
   */
  broken(why: 'TIMED_OUT' | 'CLOSED'): Setback;
}
