import type { Socket } from 'node:net';

import { proxyDenial, type Denial, type KeyRules } from '../keyRules.ts';
import type { AuthenticatedKey, MeterSession } from '../metering/session.ts';
import { encodeVerdict, SOCKS_ANSWERS, verdictOf, type Answers } from './answers.ts';
import { clear } from './clearance.ts';
import { ConnectionView } from './connectionView.ts';
import { depart } from './exits/depart.ts';
import type { Departure } from './exits/journey.ts';
import { handshake, type Authentication, type Gate, type Negotiated } from './handshake.ts';
import type { House, Member, ProxyProduct } from './house.ts';
import { Intake } from './intake.ts';
import { judgeUsername, type Judged } from './judgeUsername.ts';
import { CONNECT_TIMEOUT_MS } from './limits.ts';
import { Abandonment } from './relay/abandonment.ts';
import { cut } from './relay/handle.ts';
import type { SocketEnd } from './relay/reader.ts';
import type { Peer, Relay, Tunnel } from './relay/relay.ts';
import { associate } from './udp/associate.ts';
import { Association, type Room } from './udp/association.ts';
import { Control } from './udp/control.ts';
import type { UsernameFlags } from './username.ts';

/** What a connection needs of the frontend around it. */
export interface Host {
  readonly house: House;
  readonly relay: Relay<SocketEnd>;
  readonly room: Room;
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
export class Connection implements Member {
  readonly product: ProxyProduct;
  key: AuthenticatedKey | undefined;
  readonly view = new ConnectionView();
  readonly #host: Host;
  readonly #client: Socket;
  readonly clientAddress: string;
  readonly #abandonment = new Abandonment();
  #answers: Answers = SOCKS_ANSWERS;
  #flags: UsernameFlags = {};
  #tunnel: Tunnel | undefined;
  #denial: Denial | undefined;

  constructor(host: Host, client: Socket, clientAddress: string, product: ProxyProduct) {
    this.#host = host;
    this.#client = client;
    this.clientAddress = clientAddress;
    this.product = product;
    client.on('error', () => client.destroy());
    client.on('close', () => {
      this.#abandonment.abandon();
      if (this.#tunnel === undefined) host.closed(this);
    });
    // Not kept: there are many idle tunnels.
    this.#serve(new Intake(client)).catch((error: unknown) => {
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

  /** Why these rules forbid the connection; undefined: they do not. */
  denialBy(rules: KeyRules): Denial | undefined {
    return proxyDenial(rules, this.product, this.clientAddress);
  }

  async #serve(intake: Intake): Promise<void> {
    const negotiated = await handshake(intake, this.#gate());
    if (negotiated === undefined) return;
    this.#answers = negotiated.answers;
    this.view.protocol = negotiated.protocol;
    intake.completed();
    const { key, request, associates } = negotiated;
    if (associates === true) return this.#associate(key, request, intake);
    const { host, port } = request;
    const cleared = await clear(this.#host.house, { key, client: this, denial: this.#denial, host, port });
    if (!('session' in cleared)) return intake.finish(encodeVerdict(this.#answers, cleared));
    this.view.bound(cleared.session, host, port);
    let reached: Reached | undefined;
    try {
      reached = await this.#reach(negotiated, cleared.addresses, intake);
    } finally {
      if (reached === undefined) cleared.session.close();
    }
    if (reached !== undefined) this.#relay(reached, cleared.session, intake);
  }

  async #associate(key: AuthenticatedKey, named: Negotiated['request'], intake: Intake): Promise<void> {
    const { house, room } = this.#host;
    const local = this.#client.localAddress ?? '';
    const known = { key, client: this, denial: this.#denial, named, local, stickySession: this.#flags.session };
    const beginning = (association: Association): void => {
      if (this.#abandonment.abandoned) association.end();
      else this.#abandonment.listen(() => association.end());
    };
    const opened = await associate(house, { ...known, room, beginning, ended: () => this.abort() });
    this.#abandonment.listen(undefined);
    if (!(opened instanceof Association)) return intake.finish(encodeVerdict(this.#answers, opened));
    if (this.#abandonment.abandoned || this.#client.destroyed || opened.over) {
      opened.end();
      return cut(this.#client);
    }
    this.view.associated(opened);
    intake.send(this.#answers.opened(opened.local));
    intake.release();
    this.#host.relaying(this);
    this.#tunnel = new Control(this.#client, opened, () => this.#host.closed(this));
  }

  #gate(): Gate {
    return {
      authenticate: (username) => {
        const judged = judgeUsername(this.#host.house, this, username);
        return judged instanceof Promise ? judged.then((late) => this.#admit(late)) : this.#admit(judged);
      },
      refused: (code, keyId, message) => this.#host.house.refused(code, keyId, message, this),
    };
  }

  #admit({ answer, flags }: Judged): Authentication {
    this.#flags = flags;
    if ('refusal' in answer) return answer;
    this.#denial = answer.denial;
    // Who is denied takes no place among the connections of the key.
    if (this.#denial !== undefined) return answer;
    this.key = answer.key;
    if (!this.#host.authenticated(this, answer.key)) this.#denial = { code: 'CONNECTION_LIMIT' };
    return answer;
  }

  /** @returns undefined when the target is not reached; the client has its answer then */
  async #reach(
    { key, request: { port } }: Negotiated,
    addresses: readonly [string, ...string[]],
    intake: Intake,
  ): Promise<Reached | undefined> {
    const { house } = this.#host;
    const journey = house.journey(this.product, {
      traveller: { accountId: key.accountId, keyId: key.keyId, session: this.#flags.session },
      addresses,
      port,
      timeoutMs: CONNECT_TIMEOUT_MS,
    });
    const { relay } = this.#host;
    const { resolveUpstream } = house;
    const outcome = await depart(journey, { relay, resolveUpstream, abandonment: this.#abandonment });
    if ('endpoint' in outcome) return outcome;
    const verdict = verdictOf(outcome.failure);
    if ('refusal' in verdict) house.refused(verdict.refusal.code, key.keyId, undefined, this);
    intake.finish(encodeVerdict(this.#answers, verdict));
    return undefined;
  }

  #relay({ endpoint, local, departure }: Reached, session: MeterSession, intake: Intake): void {
    if (this.#abandonment.abandoned || this.#client.destroyed) {
      this.#host.relay.discard(endpoint);
      departure.closed();
      session.close();
      return;
    }
    intake.send(this.#answers.opened(local));
    this.view.exit = this.#host.house.departed(this.product, session, departure.label);
    this.#host.relaying(this);
    this.#tunnel = this.#host.relay.start({
      client: { socket: this.#client },
      target: endpoint,
      early: intake.release(),
      clientEnded: intake.ended,
      session,
      idleTimeoutMs: this.#host.house.idleTimeoutMs,
      closed: (reason) => {
        departure.closed();
        if (reason !== undefined) this.#host.house.refused(reason, session.keyId, undefined, this);
        this.#host.closed(this);
      },
    });
  }
}
