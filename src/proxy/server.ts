import type { AddressInfo } from 'node:net';

import type { Fence } from '../egress.ts';
import type { RefusalCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { AuthenticatedKey, OpenSession } from '../metering/session.ts';
import type { LocalConnections } from '../openConnection.ts';
import { chooseFrontend, type RelayChoice } from './chooseFrontend.ts';
import { Checks } from './exits/checks.ts';
import type { ExitSpec } from './exits/config.ts';
import type { ExitStats } from './exits/exit.ts';
import { Journey } from './exits/journey.ts';
import { Passage } from './exits/passage.ts';
import { ExitPool } from './exits/pool.ts';
import {
  FrontendUnusable,
  type Frontend,
  type FrontendCounts,
  type House,
  type Member,
  type ProxyProduct,
  type RefusedClient,
} from './house.ts';
import { judgeInTime } from './judging.ts';
import { KeyMembers } from './keyMembers.ts';
import { KeyWatches, UNWATCHED, type Verdicts, type WatchKey } from './keyWatches.ts';
import { BELIEVED_MS } from './relay/fast/goodNames.ts';
import { RelayPorts } from './udp/relayPorts.ts';

/** Descriptors the connections may take; 500 of the usual 20,000 are left for everything else. */
const MAX_DESCRIPTORS = 19_500;

export interface ProxyOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly ports: Readonly<Record<ProxyProduct, number>>;
  readonly authenticate: House['authenticate'];
  readonly openSession: OpenSession;
  /** One cell in shared memory, see `House`; without end when absent. */
  readonly forwardUntil?: Float64Array;
  /** Keeps why a key was refused or cut off. Called for every refusal, so it has to coalesce. Must not throw. */
  readonly recordRefusal: (keyId: bigint, code: RefusalCode, message?: string, client?: RefusedClient) => void;
  readonly watchKey?: WatchKey;
  /** Counts traffic by exit, and says what customers call the exit; they see its id when absent. */
  readonly departed?: House['departed'];
  readonly fence: Fence;
  readonly log: Logger;
  readonly limits: {
    readonly idleTimeoutMs: number;
    readonly maxConnectionsPerKey: number;
    readonly maxDescriptors?: number;
  };
  /** Ways out per product, taken in turn; directly when absent. */
  readonly exits?: Readonly<Record<ProxyProduct, readonly ExitSpec[]>>;
  /** Finds upstream proxies; the fence of the targets when absent. */
  readonly resolveUpstream?: Fence['resolve'];
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

const WITHOUT_END = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)).fill(
  Number.POSITIVE_INFINITY,
);

const DIRECTLY: readonly ExitSpec[] = [{ kind: 'DIRECT', label: 'direct' }];

/** Milliseconds since 1970, of a clock that does not go backwards. */
const now = (): number => performance.timeOrigin + performance.now();

/** For gauges and counters. */
export interface ProxyStats extends FrontendCounts {
  /** Undefined before it listens. */
  readonly relay: Frontend['relay'] | undefined;
  /** How often each refusal was given, since the start. */
  readonly refusals: ReadonlyMap<RefusalCode, number>;
}

/** What became of the tunnels that were open when a drain began. */
export interface Drained {
  readonly tunnelsEnded: number;
  readonly tunnelsCut: number;
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
  drain(timeoutMs: number): Promise<Drained>;
  readonly stats: ProxyStats;
  readonly connections: LocalConnections;
  /** To see, drain and assign exits. */
  readonly exits: Readonly<Record<ProxyProduct, ExitPool>>;
}

/** The data plane, SOCKS5 and HTTP CONNECT: one listener per product. */
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
  readonly #checks: Checks;
  #frontend: Frontend | undefined;
  readonly exits: Readonly<Record<ProxyProduct, ExitPool>>;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#members = new KeyMembers(options.limits.maxConnectionsPerKey);
    const verdicts: Verdicts<Member> = {
      judge: (member, rules) => {
        member.view.obey(rules);
        return member.denialBy(rules);
      },
      end: (member, keyId, { code, message }) => {
        this.#refused(code, keyId, message, member);
        member.abort();
      },
      stopped: () => this.#frontend?.forget(),
    };
    // Relay workers believe in a key for so long after its last connection.
    this.#watches = new KeyWatches(options.watchKey ?? UNWATCHED, verdicts, BELIEVED_MS);
    const { SHARED, DEDICATED } = options.exits ?? { SHARED: DIRECTLY, DEDICATED: DIRECTLY };
    const watch = ({ id, state, lastError }: ExitStats): void => {
      if (state === 'HEALTHY') options.log.info({ exit: id }, 'an exit works again');
      else options.log.warn({ exit: id, error: lastError?.detail }, 'an exit fails: it is left alone for a while');
    };
    this.exits = { SHARED: new ExitPool(SHARED, watch, true), DEDICATED: new ExitPool(DEDICATED, watch, true) };
    const resolveUpstream = options.resolveUpstream ?? options.fence.resolve;
    this.#checks = new Checks({
      pools: Object.values(this.exits),
      resolveUpstream,
      now,
      onError: (error) => options.log.error({ err: error }, 'checking an exit failed'),
    });
    this.#house = {
      authenticate: judgeInTime(options.authenticate, options.log),
      openSession: options.openSession,
      forwardUntil: options.forwardUntil ?? WITHOUT_END,
      fence: options.fence,
      log: options.log,
      idleTimeoutMs: options.limits.idleTimeoutMs,
      resolveUpstream,
      journey: (product, plan) => new Journey(this.exits[product], plan, now),
      departed: options.departed ?? ((_product, _session, exit) => exit),
      passage: (product, traveller) => new Passage(this.exits[product], traveller, now),
      relayPorts: new RelayPorts(),
      refused: (...refusal) => this.#refused(...refusal),
      admitted: (member, key) => this.#admitted(member, key),
      left: (member) => this.#left(member),
    };
  }

  async listen(): Promise<Readonly<Record<ProxyProduct, AddressInfo>>> {
    const bound = await this.#bind();
    this.#checks.start();
    return bound;
  }

  async #bind(): Promise<Readonly<Record<ProxyProduct, AddressInfo>>> {
    const { host, ports, limits, relay, log } = this.#options;
    const options = {
      host,
      ports,
      maxDescriptors: limits.maxDescriptors ?? MAX_DESCRIPTORS,
      workers: relay?.workers ?? 1,
      workerSource: relay?.workerSource,
    };
    const choice = relay?.choice ?? 'auto';
    this.#frontend = await chooseFrontend(choice, options, this.#house, log);
    try {
      return await this.#frontend.listen();
    } catch (error) {
      if (choice !== 'auto' || !(error instanceof FrontendUnusable)) throw error;
      log.warn({ err: error }, 'the fast relay does not start: the portable one is used');
      this.#frontend = await chooseFrontend('portable', options, this.#house, log);
      return this.#frontend.listen();
    }
  }

  closeKey(keyId: bigint, reason: RefusalCode): number {
    this.#frontend?.forget();
    const members = this.#members.of(keyId);
    for (const member of members) {
      // Told here, once: whoever watches the key hears of it, too, and finds the connection no more.
      this.#left(member);
      this.#refused(reason, keyId, undefined, member);
      member.abort();
    }
    return members.length;
  }

  async drain(timeoutMs: number): Promise<Drained> {
    this.#checks.close();
    const { tunnels } = this.stats;
    const tunnelsCut = (await this.#frontend?.drain(timeoutMs)) ?? 0;
    this.#watches.close();
    return { tunnelsEnded: Math.max(0, tunnels - tunnelsCut), tunnelsCut };
  }

  get connections(): LocalConnections {
    return this.#members;
  }

  get stats(): ProxyStats {
    const counts = this.#frontend?.counts ?? NOTHING;
    return { ...counts, relay: this.#frontend?.relay, refusals: this.#refusals };
  }

  #admitted(member: Member, key: AuthenticatedKey): boolean {
    if (!this.#members.add(member, key)) return false;
    this.#watches.add(member, key);
    return true;
  }

  #refused(code: RefusalCode, keyId?: bigint, message?: string, client?: RefusedClient): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    if (keyId === undefined) this.#options.log.debug({ code }, 'a client was refused');
    else this.#options.recordRefusal(keyId, code, message, client);
  }

  #left(member: Member): void {
    this.#members.delete(member);
    if (member.key !== undefined) this.#watches.remove(member, member.key);
  }
}
