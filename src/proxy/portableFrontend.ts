import type { AddressInfo, Socket } from 'node:net';

import { normalAddress } from '../addresses.ts';
import { Connection, type Host } from './connection.ts';
import type { Frontend, FrontendCounts, House, ProxyProduct } from './house.ts';
import { DESCRIPTORS_PER_CONNECTION, RESUME_SHARE } from './limits.ts';
import { createListener, type Listener } from './listener.ts';
import { Registry } from './registry.ts';
import { createPortableRelay } from './relay/portable.ts';

export interface FrontendOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly ports: Readonly<Record<ProxyProduct, number>>;
  readonly maxDescriptors: number;
}

/** Clients on Node's sockets, for every platform. */
export class PortableFrontend implements Frontend {
  readonly relay = 'portable';
  readonly #options: FrontendOptions;
  readonly #house: House;
  readonly #host: Host;
  readonly #registry = new Registry();
  readonly #listeners: Readonly<Record<ProxyProduct, Listener>>;
  readonly #maxConnections: number;
  /** Connections that the sockets of associations stand for. */
  #associations = 0;
  #accepted = 0;
  #paused = false;
  #draining = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: FrontendOptions, house: House) {
    this.#options = options;
    this.#house = house;
    this.#maxConnections = Math.floor(options.maxDescriptors / DESCRIPTORS_PER_CONNECTION);
    this.#listeners = { SHARED: this.#listener('SHARED'), DEDICATED: this.#listener('DEDICATED') };
    this.#host = {
      house,
      relay: createPortableRelay(),
      room: { take: () => this.#takeRoom(), give: () => this.#giveRoom() },
      authenticated: (connection, key) => {
        // It has closed meanwhile: nothing would ever take it out again.
        if (!this.#registry.has(connection)) return true;
        this.#registry.authenticated(connection);
        return house.admitted(connection, key);
      },
      relaying: (connection) => this.#registry.relaying(connection),
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

  async drain(timeoutMs: number): Promise<number> {
    this.#draining = true;
    this.#pauseListeners();
    for (const connection of this.#registry.withoutTunnel()) connection.abort();
    if (this.#registry.size === 0) return 0;
    let cut = 0;
    const empty = new Promise<void>((resolve) => (this.#onEmpty = resolve));
    const deadline = setTimeout(() => {
      cut = this.#registry.tunnels;
      for (const connection of this.#registry.everything()) connection.abort();
    }, timeoutMs);
    await empty;
    clearTimeout(deadline);
    return cut;
  }

  forget(): void {
    // It judges every key itself.
  }

  get counts(): FrontendCounts {
    const { size: connections, handshakes, tunnels } = this.#registry;
    return { connections, handshakes, tunnels, accepted: this.#accepted, paused: this.#paused, crashes: 0 };
  }

  #listener(product: ProxyProduct): Listener {
    const { host, ports } = this.#options;
    return createListener(host, ports[product], (client) => this.#accept(client, product), this.#house.log);
  }

  #accept(client: Socket, product: ProxyProduct): void {
    const address = normalAddress(client.remoteAddress ?? '');
    // Gone again before it was accepted, or accepted after the drain began.
    if (address === undefined || this.#draining) return void client.destroy();
    this.#accepted++;
    this.#registry.add(new Connection(this.#host, client, address, product));
    if (!this.#paused && this.#size >= this.#maxConnections) this.#pause();
  }

  /** An association has up to three sockets beside its client's connection: as many as two connections together. */
  #takeRoom(): boolean {
    if (this.#size >= this.#maxConnections) return false;
    this.#associations++;
    if (!this.#paused && this.#size >= this.#maxConnections) this.#pause();
    return true;
  }

  #giveRoom(): void {
    this.#associations--;
    this.#resumeIfRoom();
  }

  get #size(): number {
    return this.#registry.size + this.#associations;
  }

  #closed(connection: Connection): void {
    this.#registry.remove(connection);
    this.#house.left(connection);
    this.#resumeIfRoom();
    if (this.#registry.size === 0) this.#onEmpty?.();
  }

  #resumeIfRoom(): void {
    if (this.#paused && !this.#draining && this.#size <= this.#maxConnections * RESUME_SHARE) this.#resume();
  }

  #pause(): void {
    this.#paused = true;
    this.#pauseListeners();
    this.#house.log.warn({ connections: this.#registry.size }, 'too many connections: accepting is paused');
  }

  #pauseListeners(): void {
    for (const listener of Object.values(this.#listeners)) listener.pause();
  }

  #resume(): void {
    this.#paused = false;
    for (const listener of Object.values(this.#listeners)) listener.resume();
    this.#house.log.info({ connections: this.#registry.size }, 'accepting again');
  }
}
