import type { AddressInfo, Socket } from 'node:net';

import { normalAddress } from '../addresses.ts';
import type { Fence } from '../egress.ts';
import type { RefusalCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { AuthenticatedKey, OpenSession } from '../metering/session.ts';
import type { Product } from '../units.ts';
import { Connection, type Host } from './connection.ts';
import { rotation, type Exit } from './exits.ts';
import { KeyWatches, UNWATCHED, type WatchKey } from './keyWatches.ts';
import { createListener, type Listener } from './listener.ts';
import { Registry } from './registry.ts';
import { createPortableRelay } from './relay/portable.ts';

/** What the data plane sells; the browser gateway sells the rest. */
export type ProxyProduct = Exclude<Product, 'BROWSER'>;

/** Descriptors the connections may take; 500 of the usual 20,000 are left for everything else. */
const MAX_DESCRIPTORS = 19_500;
/** A connection takes one for its client and one for its target. */
const DESCRIPTORS_PER_CONNECTION = 2;
/** Accepting goes on when this share of the limit is in use. */
const RESUME_SHARE = 0.98;

export interface ProxyOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly ports: Readonly<Record<ProxyProduct, number>>;
  readonly authenticate: Host['authenticate'];
  readonly openSession: OpenSession;
  /** Keeps why a key was refused or cut off. Called for every refusal, so it has to coalesce. Must not throw. */
  readonly recordRefusal: (keyId: bigint, code: RefusalCode, message?: string) => void;
  readonly watchKey?: WatchKey;
  readonly fence: Fence;
  readonly log: Logger;
  readonly limits: {
    readonly idleTimeoutMs: number;
    readonly maxConnectionsPerKey: number;
    readonly maxDescriptors?: number;
  };
  /** Ways out per product, taken in turn. */
  readonly exits?: Readonly<Record<ProxyProduct, readonly [Exit, ...Exit[]]>>;
}

/** For gauges and counters. */
export interface ProxyStats {
  readonly connections: number;
  readonly handshakes: number;
  readonly tunnels: number;
  readonly accepted: number;
  readonly paused: boolean;
  /** How often each refusal was given, since the start. */
  readonly refusals: ReadonlyMap<RefusalCode, number>;
}

export interface Proxy {
  /** @throws Error when a port cannot be bound; none is left open then */
  listen(): Promise<Readonly<Record<ProxyProduct, AddressInfo>>>;
  /** Ends every connection of the key at once and keeps the reason. @returns how many there were */
  closeKey(keyId: bigint, reason: RefusalCode): number;
  /**
   * Stops accepting, lets the tunnels end by themselves for `timeoutMs`, then cuts them.
   * Afterwards every session is closed and nothing holds the process.
   */
  drain(timeoutMs: number): Promise<void>;
  readonly stats: ProxyStats;
}

/** The SOCKS5 data plane: one listener per product. */
export function createProxy(options: ProxyOptions): Proxy {
  return new ProxyServer(options);
}

class ProxyServer implements Proxy {
  readonly #options: ProxyOptions;
  readonly #registry: Registry;
  readonly #maxConnections: number;
  readonly #refusals = new Map<RefusalCode, number>();
  readonly #watches: KeyWatches<Connection>;
  readonly #listeners: Readonly<Record<ProxyProduct, Listener>>;
  readonly #host: Host;
  #accepted = 0;
  #paused = false;
  #draining = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#registry = new Registry(options.limits.maxConnectionsPerKey);
    this.#watches = new KeyWatches(options.watchKey ?? UNWATCHED, {
      judge: (connection, rules) => connection.denialBy(rules),
      end: (connection, keyId, { code, message }) => {
        this.#refused(code, keyId, message);
        connection.abort();
      },
    });
    const maxDescriptors = options.limits.maxDescriptors ?? MAX_DESCRIPTORS;
    this.#maxConnections = Math.floor(maxDescriptors / DESCRIPTORS_PER_CONNECTION);
    this.#listeners = { SHARED: this.#listener('SHARED'), DEDICATED: this.#listener('DEDICATED') };
    this.#host = {
      authenticate: options.authenticate,
      openSession: options.openSession,
      fence: options.fence,
      relay: createPortableRelay(),
      log: options.log,
      idleTimeoutMs: options.limits.idleTimeoutMs,
      exit: rotation(options.exits),
      authenticated: (connection, key) => this.#authenticated(connection, key),
      relaying: (connection) => this.#registry.relaying(connection),
      refused: (...refusal) => this.#refused(...refusal),
      closed: (connection) => this.#closed(connection),
    };
  }

  async listen(): Promise<Readonly<Record<ProxyProduct, AddressInfo>>> {
    const { SHARED, DEDICATED } = this.#listeners;
    try {
      return { SHARED: await SHARED.listen(), DEDICATED: await DEDICATED.listen() };
    } catch (error) {
      this.#pauseListeners();
      throw error;
    }
  }

  closeKey(keyId: bigint, reason: RefusalCode): number {
    const connections = this.#registry.ofKey(keyId);
    for (const connection of connections) connection.abort();
    if (connections.length > 0) this.#refused(reason, keyId);
    return connections.length;
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#pauseListeners();
    for (const connection of this.#registry.withoutTunnel()) connection.abort();
    if (this.#registry.size === 0) return;
    const empty = new Promise<void>((resolve) => (this.#onEmpty = resolve));
    const deadline = setTimeout(() => {
      for (const connection of this.#registry.everything()) connection.abort();
    }, timeoutMs);
    await empty;
    clearTimeout(deadline);
  }

  get stats(): ProxyStats {
    const { size: connections, handshakes, tunnels } = this.#registry;
    return {
      connections,
      handshakes,
      tunnels,
      accepted: this.#accepted,
      paused: this.#paused,
      refusals: this.#refusals,
    };
  }

  #listener(product: ProxyProduct): Listener {
    const { host, ports, log } = this.#options;
    return createListener(host, ports[product], (client) => this.#accept(client, product), log);
  }

  #accept(client: Socket, product: ProxyProduct): void {
    const address = normalAddress(client.remoteAddress ?? '');
    // Gone again before it was accepted, or accepted after the drain began.
    if (address === undefined || this.#draining) return void client.destroy();
    this.#accepted++;
    this.#registry.add(new Connection(this.#host, client, address, product));
    if (!this.#paused && this.#registry.size >= this.#maxConnections) this.#pause();
  }

  #authenticated(connection: Connection, key: AuthenticatedKey): boolean {
    // It has closed meanwhile: nothing would ever take it out again.
    if (!this.#registry.has(connection)) return true;
    if (!this.#registry.authenticated(connection, key.keyId)) return false;
    this.#watches.add(connection, key);
    return true;
  }

  #refused(code: RefusalCode, keyId?: bigint, message?: string): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    if (keyId === undefined) this.#options.log.debug({ code }, 'a client was refused');
    else this.#options.recordRefusal(keyId, code, message);
  }

  #closed(connection: Connection): void {
    this.#registry.remove(connection);
    if (connection.key !== undefined) this.#watches.remove(connection, connection.key);
    const { size } = this.#registry;
    if (this.#paused && !this.#draining && size <= this.#maxConnections * RESUME_SHARE) this.#resume();
    if (size === 0) this.#onEmpty?.();
  }

  #pause(): void {
    this.#paused = true;
    this.#pauseListeners();
    this.#options.log.warn({ connections: this.#registry.size }, 'too many connections: accepting is paused');
  }

  #pauseListeners(): void {
    for (const listener of Object.values(this.#listeners)) listener.pause();
  }

  #resume(): void {
    this.#paused = false;
    for (const listener of Object.values(this.#listeners)) listener.resume();
    this.#options.log.info({ connections: this.#registry.size }, 'accepting again');
  }
}
