import type { Socket } from 'node:net';

import type { Fence } from '../egress.ts';
import type { RefusalCode } from '../errors.ts';
import { proxyDenial, type Denial, type KeyRules } from '../keyRules.ts';
import type { Logger } from '../log.ts';
import type { AuthenticatedKey, MeterSession, Opened, OpenSession } from '../metering/session.ts';
import type { Product } from '../units.ts';
import type { Exit } from './exits.ts';
import { handshake, type Authentication, type Gate, type Negotiated } from './handshake.ts';
import { Intake } from './intake.ts';
import { Abandonment } from './relay/abandonment.ts';
import { cut } from './relay/handle.ts';
import type { SocketEnd } from './relay/portable.ts';
import { DialError, type DialFailure, type Relay, type Tunnel } from './relay/relay.ts';
import { encodeReply, REPLIES, type ReplyCode } from './socks5.ts';

/** Milliseconds for all attempts to reach a target. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Replies to failed dials. A silent target is "host unreachable" like an unknown name: 06 (TTL
 * expired) would claim a message that the network did not send. What never made it to an attempt
 * because the client left gets no reply at all.
 */
const DIAL_REPLIES: Readonly<Record<DialFailure, ReplyCode>> = {
  NETWORK_UNREACHABLE: REPLIES.NETWORK_UNREACHABLE,
  HOST_UNREACHABLE: REPLIES.HOST_UNREACHABLE,
  CONNECTION_REFUSED: REPLIES.CONNECTION_REFUSED,
  TIMED_OUT: REPLIES.HOST_UNREACHABLE,
  ABANDONED: REPLIES.GENERAL_FAILURE,
};

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
  exit(product: Product): Exit;
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

/** One client, from its greeting until both sides are closed. */
export class Connection {
  readonly product: Product;
  /** Set when it is authenticated. */
  key: AuthenticatedKey | undefined;
  readonly #host: Host;
  readonly #client: Socket;
  readonly #clientAddress: string;
  readonly #intake: Intake;
  readonly #abandonment = new Abandonment();
  #tunnel: Tunnel | undefined;
  #denial: Denial | undefined;

  constructor(host: Host, client: Socket, clientAddress: string, product: Product) {
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

  /** Why these rules forbid the connection; undefined: they do not. */
  denialBy(rules: KeyRules): Denial | undefined {
    return proxyDenial(rules, this.product, this.#clientAddress);
  }

  async #serve(): Promise<void> {
    const negotiated = await handshake(this.#intake, this.#gate());
    if (negotiated === undefined) return;
    this.#intake.completed();
    const { key } = negotiated;
    if (this.#denial !== undefined) return this.#refuse(this.#denial.code, key, this.#denial.message);
    // Credit comes before the name: whoever cannot pay does not make us resolve anything.
    const opened = await this.#open(key);
    if ('refusal' in opened) return this.#refuse(opened.refusal, key);
    let target: SocketEnd | undefined;
    try {
      target = await this.#reach(negotiated);
    } finally {
      if (target === undefined) opened.session.close();
    }
    if (target !== undefined) this.#relay(target, opened.session);
  }

  #gate(): Gate {
    return {
      authenticate: (username) => {
        const answer = this.#host.authenticate(username, this.#clientAddress, this.product);
        return answer instanceof Promise ? answer.then((late) => this.#admit(late)) : this.#admit(answer);
      },
      refused: (...refusal) => this.#host.refused(...refusal),
    };
  }

  #admit(answer: Authentication): Authentication {
    if (!('key' in answer)) return answer;
    this.#denial = answer.denial;
    // Who is denied takes no place among the connections of the key.
    if (this.#denial !== undefined) return answer;
    this.key = answer.key;
    if (!this.#host.authenticated(this, answer.key)) this.#denial = { code: 'CONNECTION_LIMIT' };
    return answer;
  }

  async #open(key: AuthenticatedKey): Promise<Opened> {
    try {
      const opened = this.#host.openSession(key, this.product);
      return opened instanceof Promise ? await opened : opened;
    } catch (error) {
      this.#reply(REPLIES.GENERAL_FAILURE);
      throw error;
    }
  }

  /** @returns undefined when the target is refused or not reached; the client has its reply then */
  async #reach({ key, request: { host, port } }: Negotiated): Promise<SocketEnd | undefined> {
    const resolved = await this.#host.fence.resolve(host, port);
    if ('failure' in resolved) {
      if (resolved.failure === 'EGRESS_FORBIDDEN') this.#refuse('EGRESS_FORBIDDEN', key);
      else this.#reply(REPLIES.HOST_UNREACHABLE);
      return undefined;
    }
    try {
      return await this.#host.exit(this.product).connect(this.#host.relay, {
        addresses: resolved.addresses,
        port,
        timeoutMs: CONNECT_TIMEOUT_MS,
        abandonment: this.#abandonment,
      });
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      this.#reply(DIAL_REPLIES[error.failure]);
      return undefined;
    }
  }

  #relay(target: SocketEnd, session: MeterSession): void {
    if (this.#abandonment.abandoned || this.#client.destroyed) {
      this.#host.relay.discard(target);
      session.close();
      return;
    }
    const local = this.#host.relay.localAddress(target);
    this.#intake.send(encodeReply(REPLIES.SUCCEEDED, local?.address, local?.port));
    this.#host.relaying(this);
    this.#tunnel = this.#host.relay.start({
      client: { socket: this.#client },
      target,
      early: this.#intake.release(),
      clientEnded: this.#intake.ended,
      session,
      idleTimeoutMs: this.#host.idleTimeoutMs,
      closed: (reason) => {
        if (reason !== undefined) this.#host.refused(reason, session.keyId);
        this.#host.closed(this);
      },
    });
  }

  #refuse(code: RefusalCode, { keyId }: AuthenticatedKey, message?: string): void {
    this.#host.refused(code, keyId, message);
    this.#reply(REPLIES.NOT_ALLOWED);
  }

  #reply(code: ReplyCode): void {
    this.#intake.finish(encodeReply(code));
  }
}
