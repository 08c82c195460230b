import type { Socket } from 'node:net';

import type { Fence } from '../egress.ts';
import type { RefusalCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { AuthenticatedKey, MeterSession, Opened, OpenSession } from '../metering/session.ts';
import type { Product } from '../units.ts';
import { SOCKS_ANSWERS, type Answers } from './answers.ts';
import { depart } from './exits/depart.ts';
import type { Departure, Journey, JourneyPlan } from './exits/journey.ts';
import { handshake, type Authentication, type Gate, type Negotiated } from './handshake.ts';
import { decodeProtocol } from './httpConnect.ts';
import { httpHandshake } from './httpHandshake.ts';
import { Intake } from './intake.ts';
import { Abandonment } from './relay/abandonment.ts';
import { cut } from './relay/handle.ts';
import type { SocketEnd } from './relay/reader.ts';
import type { Peer, Relay, Tunnel } from './relay/relay.ts';
import { parseUsername, type UsernameFlags } from './username.ts';

/** Milliseconds for all attempts to reach a target. */
const CONNECT_TIMEOUT_MS = 10_000;

/** What the data plane sells; the browser gateway sells the rest. */
export type ProxyProduct = Exclude<Product, 'BROWSER'>;

/** What a connection needs of the proxy around it. */
export interface Host {
  /** At once when the key is known already. */
  readonly authenticate: (
    username: string,
    clientAddress: string,
    product: Product,
  ) => Authentication | Promise<Authentication>;
  readonly openSession: OpenSession;
  readonly fence: Fence;
  readonly relay: Relay<SocketEnd>;
  readonly log: Logger;
  readonly idleTimeoutMs: number;
  /** Finds upstream proxies; everything but our own listeners. */
  readonly resolveUpstream: Fence['resolve'];
  journey(product: ProxyProduct, plan: JourneyPlan): Journey;
  /**
   * @param keyId absent when the refusal cannot be attributed to a key
   * @param message more precise than the catalogue's
   */
  refused(code: RefusalCode, keyId?: bigint, message?: string): void;
  /** The connection belongs to a key from now on. @returns false when the key has too many */
  authenticated(connection: Connection, key: AuthenticatedKey): boolean;
  /** A tunnel runs. */
  relaying(connection: Connection): void;
  /** The connection is over: nothing of it is left. */
  closed(connection: Connection): void;
}

/** A target that was reached. */
interface Reached {
  readonly endpoint: SocketEnd;
  readonly local: Peer | undefined;
  readonly departure: Departure;
}

/** One client, from its greeting until both sides are closed. */
export class Connection {
  readonly product: ProxyProduct;
  /** Set when it is authenticated. */
  key: AuthenticatedKey | undefined;
  readonly #host: Host;
  readonly #client: Socket;
  readonly #clientAddress: string;
  readonly #intake: Intake;
  readonly #abandonment = new Abandonment();
  #answers: Answers = SOCKS_ANSWERS;
  #flags: UsernameFlags = {};
  #tunnel: Tunnel | undefined;
  #overLimit = false;

  constructor(host: Host, client: Socket, clientAddress: string, product: ProxyProduct) {
    this.#host = host;
    this.#client = client;
    this.#clientAddress = clientAddress;
    this.product = product;
    this.#intake = new Intake(client);
    client.on('error', () => client.destroy());
    client.on('close', () => {
      this.#abandonment.abandon();
      if (this.#tunnel === undefined) host.closed(this);
    });
    this.#serve().catch((error: unknown) => {
      host.log.error({ err: error, product }, 'a proxied connection failed');
      if (!client.writableEnded) cut(client);
    });
  }

  /** Ends the connection at once, whatever it is doing. */
  abort(): void {
    this.#abandonment.abandon();
    if (this.#tunnel === undefined) cut(this.#client);
    else this.#tunnel.abort();
  }

  async #serve(): Promise<void> {
    const negotiated = await this.#negotiate();
    if (negotiated === undefined) return;
    this.#intake.completed();
    const { key } = negotiated;
    if (this.#overLimit) return this.#refuse('CONNECTION_LIMIT', key);
    // Credit comes before the name: whoever cannot pay does not make us resolve anything.
    const opened = await this.#open(key);
    if ('refusal' in opened) return this.#refuse(opened.refusal, key);
    let reached: Reached | undefined;
    try {
      reached = await this.#reach(negotiated);
    } finally {
      if (reached === undefined) opened.session.close();
    }
    if (reached !== undefined) this.#relay(reached, opened.session);
  }

  async #negotiate(): Promise<Negotiated | undefined> {
    const protocol = await this.#intake.receive(decodeProtocol);
    if (protocol === undefined) return undefined;
    if (protocol === 'SOCKS') return handshake(this.#intake, this.#gate());
    const negotiated = await httpHandshake(this.#intake, this.#gate());
    if (negotiated !== undefined) this.#answers = negotiated.answers;
    return negotiated;
  }

  #gate(): Gate {
    let fault: string | undefined;
    return {
      authenticate: (username) => {
        const parsed = parseUsername(username);
        if ('flags' in parsed) this.#flags = parsed.flags;
        else fault = parsed.fault;
        const answer = this.#host.authenticate(parsed.key, this.#clientAddress, this.product);
        return answer instanceof Promise ? answer.then((late) => this.#admit(late, fault)) : this.#admit(answer, fault);
      },
      refused: (code, keyId) => this.#host.refused(code, keyId, code === 'BAD_USERNAME' ? fault : undefined),
    };
  }

  /** Flags are judged when it is known whose key it is, so that the refusal can be shown on it. */
  #admit(answer: Authentication, fault: string | undefined): Authentication {
    if ('refusal' in answer) return answer;
    if (fault !== undefined) return { refusal: 'BAD_USERNAME', keyId: answer.key.keyId, message: fault };
    this.key = answer.key;
    this.#overLimit = !this.#host.authenticated(this, answer.key);
    return answer;
  }

  async #open(key: AuthenticatedKey): Promise<Opened> {
    try {
      const opened = this.#host.openSession(key, this.product);
      return opened instanceof Promise ? await opened : opened;
    } catch (error) {
      this.#intake.finish(this.#answers.refused({ code: 'SERVICE_UNAVAILABLE' }));
      throw error;
    }
  }

  /** @returns undefined when the target is refused or not reached; the client has its answer then */
  async #reach({ key, request: { host, port } }: Negotiated): Promise<Reached | undefined> {
    const resolved = await this.#host.fence.resolve(host, port);
    if ('failure' in resolved) {
      const { failure } = resolved;
      if (failure === 'EGRESS_FORBIDDEN') this.#refuse(failure, key);
      else this.#intake.finish(this.#answers.failed(failure === 'NOT_FOUND' ? 'NO_SUCH_NAME' : failure));
      return undefined;
    }
    const journey = this.#host.journey(this.product, {
      traveller: { accountId: key.accountId, keyId: key.keyId, session: this.#flags.session },
      addresses: resolved.addresses,
      port,
      timeoutMs: CONNECT_TIMEOUT_MS,
    });
    const { relay, resolveUpstream } = this.#host;
    const outcome = await depart(journey, { relay, resolveUpstream, abandonment: this.#abandonment });
    if ('endpoint' in outcome) return outcome;
    if (outcome.failure === 'NO_EXIT') this.#refuse('EXIT_UNAVAILABLE', key);
    else this.#intake.finish(this.#answers.failed(outcome.failure));
    return undefined;
  }

  #relay({ endpoint, local, departure }: Reached, session: MeterSession): void {
    if (this.#abandonment.abandoned || this.#client.destroyed) {
      this.#host.relay.discard(endpoint);
      departure.closed();
      session.close();
      return;
    }
    this.#intake.send(this.#answers.opened(local));
    this.#host.relaying(this);
    this.#tunnel = this.#host.relay.start({
      client: { socket: this.#client },
      target: endpoint,
      early: this.#intake.release(),
      clientEnded: this.#intake.ended,
      session,
      idleTimeoutMs: this.#host.idleTimeoutMs,
      closed: (reason) => {
        departure.closed();
        if (reason !== undefined) this.#host.refused(reason, session.keyId);
        this.#host.closed(this);
      },
    });
  }

  #refuse(code: RefusalCode, key: AuthenticatedKey): void {
    this.#host.refused(code, key.keyId);
    this.#intake.finish(this.#answers.refused({ code }));
  }
}
