import type { Socket } from 'node:net';

import type { AuthenticatedKey, MeterSession } from '../metering/session.ts';
import { clear } from './clearance.ts';
import { handshake, type Authentication, type Gate } from './handshake.ts';
import type { House, Member, ProxyProduct } from './house.ts';
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

/** What a connection needs of the frontend around it. */
export interface Host {
  readonly house: House;
  readonly relay: Relay<SocketEnd>;
  /** The connection belongs to a key from now on. @returns false when the key has too many */
  authenticated(connection: Connection, key: AuthenticatedKey): boolean;
  /** A tunnel runs. */
  relaying(connection: Connection): void;
  /** The connection is over: nothing of it is left. */
  closed(connection: Connection): void;
}

/** One client, from its greeting until both sides are closed. */
export class Connection implements Member {
  readonly product: ProxyProduct;
  /** Set when it is authenticated. */
  key: AuthenticatedKey | undefined;
  readonly #host: Host;
  readonly #client: Socket;
  readonly #clientAddress: string;
  readonly #intake: Intake;
  readonly #abandonment = new Abandonment();
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
      host.house.log.error({ err: error, product }, 'a proxied connection failed');
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
    const negotiated = await handshake(this.#intake, this.#gate());
    if (negotiated === undefined) return;
    this.#intake.completed();
    const { key, request } = negotiated;
    const wish = { key, product: this.product, overLimit: this.#overLimit, host: request.host, port: request.port };
    const cleared = await clear(this.#host.house, wish);
    if ('reply' in cleared) return this.#reply(cleared.reply);
    let target: SocketEnd | undefined;
    try {
      target = await this.#reach(cleared.addresses, request.port);
    } finally {
      if (target === undefined) cleared.session.close();
    }
    if (target !== undefined) this.#relay(target, cleared.session);
  }

  #gate(): Gate {
    return {
      authenticate: (username) => {
        const answer = this.#host.house.authenticate(username, this.#clientAddress, this.product);
        return answer instanceof Promise ? answer.then((late) => this.#admit(late)) : this.#admit(answer);
      },
      refused: (code, keyId) => this.#host.house.refused(code, keyId),
    };
  }

  #admit(answer: Authentication): Authentication {
    if ('key' in answer) {
      this.key = answer.key;
      this.#overLimit = !this.#host.authenticated(this, answer.key);
    }
    return answer;
  }

  /** @returns undefined when the target is not reached; the client has its reply then */
  async #reach(addresses: readonly [string, ...string[]], port: number): Promise<SocketEnd | undefined> {
    try {
      return await this.#host.house.exit(this.product).connect(this.#host.relay, {
        addresses,
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
      idleTimeoutMs: this.#host.house.idleTimeoutMs,
      closed: (reason) => {
        if (reason !== undefined) this.#host.house.refused(reason, session.keyId);
        this.#host.closed(this);
      },
    });
  }

  #reply(code: ReplyCode): void {
    this.#intake.finish(encodeReply(code));
  }
}
