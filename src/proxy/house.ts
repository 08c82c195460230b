import type { AddressInfo } from 'node:net';

import type { Fence } from '../egress.ts';
import type { RefusalCode } from '../errors.ts';
import type { Denial, KeyRules } from '../keyRules.ts';
import type { Logger } from '../log.ts';
import type { AuthenticatedKey, MeterSession, OpenSession } from '../metering/session.ts';
import type { Product } from '../units.ts';
import type { ConnectionView } from './connectionView.ts';
import type { Journey, JourneyPlan } from './exits/journey.ts';
import type { Passage } from './exits/passage.ts';
import type { Traveller } from './exits/pool.ts';
import type { Authentication } from './handshake.ts';
import type { RelayPorts } from './udp/relayPorts.ts';

/** What the data plane sells; the browser gateway sells the rest. */
export type ProxyProduct = Exclude<Product, 'BROWSER'>;

/** Who was refused or cut off, where it is known: shown to the owner of the key. */
export interface RefusedClient {
  readonly product: ProxyProduct;
  /** IP literal. */
  readonly clientAddress: string;
}

/** A connection as the proxy keeps it by its key. */
export interface Member extends RefusedClient {
  /** Set when it is authenticated, and not denied by its rules; also where the key has too many connections. */
  readonly key: AuthenticatedKey | undefined;
  /** What its owner is told of it. */
  readonly view: ConnectionView;
  /** Why these rules forbid the connection; undefined: they do not. */
  denialBy(rules: KeyRules): Denial | undefined;
  /** Ends the connection at once, whatever it is doing. */
  abort(): void;
}

/** Who decides, whatever carries the bytes: what every frontend needs of the proxy. */
export interface House {
  /** At once when the key is known already. Neither throws nor rejects: `isUnjudged` when nobody could tell. */
  readonly authenticate: (
    username: string,
    clientAddress: string,
    product: Product,
  ) => Authentication | Promise<Authentication>;
  readonly openSession: OpenSession;
  /**
   * One cell in shared memory: when threads may forward nothing any more, in milliseconds of `systemClock`. They look
   * by themselves, because the meter cannot end sessions while its own thread stands still.
   */
  readonly forwardUntil: Float64Array;
  readonly fence: Fence;
  readonly log: Logger;
  readonly idleTimeoutMs: number;
  /** Finds upstream proxies; everything but our own listeners. */
  readonly resolveUpstream: Fence['resolve'];
  journey(product: ProxyProduct, plan: JourneyPlan): Journey;
  /**
   * What is metered leaves through this exit from now on.
   * @param exit id of the exit, which is for the operator
   * @returns what its owner may be told of the exit
   */
  departed(product: ProxyProduct, session: MeterSession, exit: string): string;
  /** The same for an association. */
  passage(product: ProxyProduct, traveller: Traveller): Passage;
  /** Where clients of associations reach us: nobody is to send there through us. */
  readonly relayPorts: RelayPorts;
  /**
   * @param keyId absent when the refusal cannot be attributed to a key
   * @param message more precise than the catalogue's
   */
  refused(code: RefusalCode, keyId?: bigint, message?: string, client?: RefusedClient): void;
  /** The connection belongs to a key from now on. @returns false when the key has too many */
  admitted(member: Member, key: AuthenticatedKey): boolean;
  /** The connection is over, whether it was admitted or not. */
  left(member: Member): void;
}

/** For gauges and counters. */
export interface FrontendCounts {
  readonly connections: number;
  /** Connections without a valid key so far. */
  readonly handshakes: number;
  readonly tunnels: number;
  /** Since the start. */
  readonly accepted: number;
  /** Nothing is accepted, because there are too many connections. */
  readonly paused: boolean;
  /** Relay workers that crashed and were replaced, since the start. */
  readonly crashes: number;
}

/** A frontend's parts could not be started, for another reason than its ports. */
export class FrontendUnusable extends Error {
  override readonly name = 'FrontendUnusable';
}

/** Where clients come in: the listeners and all connections behind them, by one of the two relays. */
export interface Frontend {
  readonly relay: 'fast' | 'portable';
  /** @throws Error when a port cannot be bound, or FrontendUnusable; no port is left open then */
  listen(): Promise<Readonly<Record<ProxyProduct, AddressInfo>>>;
  /**
   * Stops accepting, ends what is no tunnel yet, lets the tunnels end by themselves for `timeoutMs`,
   * then cuts them. Afterwards nothing is left.
   * @returns tunnels that were cut
   */
  drain(timeoutMs: number): Promise<number>;
  /** A key has stopped working: what was found good before is judged again. */
  forget(): void;
  readonly counts: FrontendCounts;
}
