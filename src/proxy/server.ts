import type { AddressInfo } from 'node:net';

import type { Fence } from '../egress.ts';
import type { RefusalCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { AuthenticatedKey, OpenSession } from '../metering/session.ts';
import { chooseFrontend, type RelayChoice } from './chooseFrontend.ts';
import { rotation, type Exit } from './exits.ts';
import type { Frontend, FrontendCounts, House, Member, ProxyProduct } from './house.ts';
import { KeyMembers } from './keyMembers.ts';
import { KeyWatches, UNWATCHED, type WatchKey } from './keyWatches.ts';

/** Descriptors the connections may take; 500 of the usual 20,000 are left for everything else. */
const MAX_DESCRIPTORS = 19_500;

export interface ProxyOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly ports: Readonly<Record<ProxyProduct, number>>;
  readonly authenticate: House['authenticate'];
  readonly openSession: OpenSession;
  /** Keeps why a key was refused or cut off. Called for every refusal, so it has to coalesce. Must not throw. */
  readonly recordRefusal: (keyId: bigint, code: RefusalCode) => void;
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
  readonly relay?: RelayOptions;
}

export interface RelayOptions {
  /** `auto` when absent. */
  readonly choice?: RelayChoice;
  /** Threads of the fast relay; 1 when absent. */
  readonly workers?: number;
  /** Other code for the workers of the fast relay. */
  readonly workerSource?: URL;
}

/** For gauges and counters. */
export interface ProxyStats extends FrontendCounts {
  /** Undefined before it listens. */
  readonly relay: Frontend['relay'] | undefined;
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

const NOTHING: FrontendCounts = { connections: 0, handshakes: 0, tunnels: 0, accepted: 0, paused: false, crashes: 0 };

class ProxyServer implements Proxy {
  readonly #options: ProxyOptions;
  readonly #members: KeyMembers;
  readonly #refusals = new Map<RefusalCode, number>();
  readonly #watches: KeyWatches<Member>;
  readonly #house: House;
  #frontend: Frontend | undefined;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#members = new KeyMembers(options.limits.maxConnectionsPerKey);
    this.#watches = new KeyWatches(options.watchKey ?? UNWATCHED, (member, keyId) => {
      this.#refused('KEY_REVOKED', keyId);
      member.abort();
    });
    this.#house = {
      authenticate: options.authenticate,
      openSession: options.openSession,
      fence: options.fence,
      log: options.log,
      idleTimeoutMs: options.limits.idleTimeoutMs,
      exit: rotation(options.exits),
      refused: (code, keyId) => this.#refused(code, keyId),
      admitted: (member, key) => this.#admitted(member, key),
      left: (member) => this.#left(member),
    };
  }

  async listen(): Promise<Readonly<Record<ProxyProduct, AddressInfo>>> {
    const { host, ports, limits, relay, exits, log } = this.#options;
    const options = {
      host,
      ports,
      maxDescriptors: limits.maxDescriptors ?? MAX_DESCRIPTORS,
      workers: relay?.workers ?? 1,
      workerSource: relay?.workerSource,
    };
    // Exits that talk before they relay need Node's sockets.
    const choice = exits === undefined ? (relay?.choice ?? 'auto') : 'portable';
    this.#frontend = await chooseFrontend(choice, options, this.#house, log);
    return this.#frontend.listen();
  }

  closeKey(keyId: bigint, reason: RefusalCode): number {
    const members = this.#members.of(keyId);
    for (const member of members) member.abort();
    if (members.length > 0) this.#refused(reason, keyId);
    return members.length;
  }

  async drain(timeoutMs: number): Promise<void> {
    await this.#frontend?.drain(timeoutMs);
  }

  get stats(): ProxyStats {
    const counts = this.#frontend?.counts ?? NOTHING;
    return { ...counts, relay: this.#frontend?.relay, refusals: this.#refusals };
  }

  #admitted(member: Member, key: AuthenticatedKey): boolean {
    if (!this.#members.add(member, key.keyId)) return false;
    this.#watches.add(member, key);
    return true;
  }

  #refused(code: RefusalCode, keyId: bigint | undefined): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    if (keyId === undefined) this.#options.log.debug({ code }, 'a client was refused');
    else this.#options.recordRefusal(keyId, code);
  }

  #left(member: Member): void {
    this.#members.delete(member);
    if (member.key !== undefined) this.#watches.remove(member, member.key);
  }
}
