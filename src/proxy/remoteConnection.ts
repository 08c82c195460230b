import type { RefusalCode } from '../errors.ts';
import { proxyDenial, type Denial, type KeyRules } from '../keyRules.ts';
import type { AuthenticatedKey, Direction, MeterSession, SessionHandlers } from '../metering/session.ts';
import type { ProxyProtocol } from '../openConnection.ts';
import { clear } from './clearance.ts';
import { ConnectionView } from './connectionView.ts';
import { refusalOf, type Authentication, type Refused } from './handshake.ts';
import type { Setback } from './exits/exit.ts';
import type { Departure, JourneyFailure } from './exits/journey.ts';
import type { House, Member, ProxyProduct } from './house.ts';
import { verdictOf, type Verdict } from './answers.ts';
import { judgeUsername, type Judged } from './judgeUsername.ts';
import { isUnjudged } from './judging.ts';
import { CONNECT_TIMEOUT_MS } from './limits.ts';
import type { Order } from './relay/fast/messages.ts';
import { giveBack, unaccepted } from './remoteCells.ts';
import { RemoteJourney } from './remoteJourney.ts';
import { associate, type AssociationWish } from './udp/associate.ts';
import { Association, type Room } from './udp/association.ts';
import type { UsernameFlags } from './username.ts';

/** What a connection in a relay worker needs of the frontend. */
export interface Remote {
  readonly house: House;
  readonly room: Room;
  order(order: Order): void;
  /** Number of the block of cells, which the worker has been told. */
  slabOf(session: MeterSession): number;
  /** The client has a valid key. */
  authenticated(): void;
}

type Visitor = Pick<RemoteConnection, 'product' | 'clientAddress'> & { readonly id: number };

/** The main thread's part of a connection whose sockets are in a relay worker: key, credit, name. */
export class RemoteConnection implements Member, SessionHandlers {
  readonly product: ProxyProduct;
  key: AuthenticatedKey | undefined;
  readonly view = new ConnectionView();
  readonly #remote: Remote;
  readonly #id: number;
  readonly clientAddress: string;
  #flags: UsernameFlags | undefined;
  #session: MeterSession | undefined;
  /** Until it is open; then `#departure`: there are many idle connections. */
  #journey: RemoteJourney | undefined;
  #departure: Departure | undefined;
  #association: Association | undefined;
  #cut: RefusalCode | undefined;
  #denial: Denial | undefined;
  /** Its login was accepted, though nobody could tell whose key it is: its request is refused. */
  #unjudged: Refused | undefined;
  #gone = false;

  constructor(remote: Remote, { id, product, clientAddress }: Visitor) {
    this.#remote = remote;
    this.#id = id;
    this.product = product;
    this.clientAddress = clientAddress;
  }

  /** The worker asks whether the username is good. */
  authenticate(username: string): void {
    this.#judge(username, (answer) => {
      if ('key' in answer) {
        // Nobody watches the key of a client who was denied, or was one too many.
        this.#remote.order(['AUTHENTICATED', this.#id, this.#denial === undefined]);
      } else if (isUnjudged(answer)) {
        this.#unjudged = answer;
        this.#remote.order(['AUTHENTICATED', this.#id, false]);
      } else {
        this.#refused(answer.refusal, answer.keyId, answer.message);
        this.#remote.order(['DENIED', this.#id]);
      }
    });
  }

  /** The request is complete. A key that the worker believed in from memory is judged here. */
  open(username: string, host: string, port: number, protocol: ProxyProtocol): void {
    this.view.protocol = protocol;
    this.#known(username, (key) => this.#serve(key, host, port));
  }

  /** The same for datagrams. */
  associate(username: string, wish: Pick<AssociationWish, 'named' | 'local'>): void {
    this.#known(username, (key) => this.#associate(key, wish));
  }

  /** The worker relays: the attempt succeeded. */
  opened(): void {
    this.#departure = this.#journey?.opened();
    this.#journey = undefined;
    if (this.#departure === undefined || this.#session === undefined) return;
    this.view.exit = this.#remote.house.departed(this.product, this.#session, this.#departure.label);
  }

  /** The attempt failed; the worker asks what else there is. */
  failed(setback: Setback): void {
    this.#journey?.failed(setback);
  }

  /** The worker's lease runs low (0), or bytes wait for credit. */
  want(bytes: number): void {
    const left = this.#session?.request(bytes) ?? 0;
    if (bytes > 0 && left > 0) this.#remote.order(['GRANTED', this.#id]);
  }

  acknowledged(): void {
    this.#session?.acknowledged();
  }

  granted(): void {
    this.want(1);
  }

  ended(reason: RefusalCode): void {
    this.#cut ??= reason;
    this.abort();
  }

  lowered(): void {
    this.#remote.order(['LOWERED', this.#id]);
  }

  unaccepted(direction: Direction): number {
    return this.#session === undefined ? 0 : unaccepted(this.#session, direction);
  }

  /** The worker has closed both sides, or is gone itself. @returns bytes read and never delivered */
  closed(): number {
    this.#gone = true;
    this.#journey?.abandoned();
    this.#departure?.closed();
    this.#association?.end();
    const lost = this.#session === undefined ? 0 : giveBack(this.#session);
    this.#closeSession();
    if (this.#cut !== undefined) this.#refused(this.#cut, this.key?.keyId);
    this.#remote.house.left(this);
    return lost;
  }

  denialBy(rules: KeyRules): Denial | undefined {
    return proxyDenial(rules, this.product, this.clientAddress);
  }

  abort(): void {
    this.#remote.order(['ABORT', this.#id]);
  }

  /** The client may have been told that the key is good, which it is no more, or nobody can tell. */
  #disappoint(answer: Refused): void {
    this.#remote.order(['FORGET']);
    this.#refused(answer.refusal, answer.keyId, answer.message);
    this.#refuse({ refusal: refusalOf(answer) });
  }

  /** @param decided is not called once the client has gone */
  #judge(username: string, decided: (answer: Authentication) => void): void {
    const act = ({ answer, flags }: Judged): void => {
      if (this.#gone) return;
      this.#flags = flags;
      if ('key' in answer) this.#admit(answer);
      decided(answer);
    };
    const judged = judgeUsername(this.#remote.house, this, username);
    void (judged instanceof Promise ? judged.then(act) : act(judged));
  }

  /** Who is denied takes no place among the connections of the key. */
  #admit({ key, denial }: Extract<Authentication, { key: unknown }>): void {
    this.#denial = denial;
    if (denial !== undefined) return;
    this.key = key;
    this.#remote.authenticated();
    if (!this.#remote.house.admitted(this, key)) this.#denial = { code: 'CONNECTION_LIMIT' };
  }

  #known(username: string, serve: (key: AuthenticatedKey) => Promise<void>): void {
    const begin = (key: AuthenticatedKey): void => void serve(key).catch((error: unknown) => this.#fail(error));
    if (this.key !== undefined) return begin(this.key);
    if (this.#unjudged !== undefined) return this.#disappoint(this.#unjudged);
    this.#judge(username, (answer) => {
      if ('key' in answer) begin(answer.key);
      else this.#disappoint(answer);
    });
  }

  async #associate(key: AuthenticatedKey, wish: Pick<AssociationWish, 'named' | 'local'>): Promise<void> {
    const { house, room } = this.#remote;
    const known = { key, client: this, denial: this.#denial, stickySession: this.#flags?.session };
    const beginning = (begun: Association): void => (this.#gone ? begun.end() : void (this.#association = begun));
    const opened = await associate(house, { ...wish, ...known, room, beginning, ended: () => this.abort() });
    if (!(opened instanceof Association)) return this.#refuse(opened);
    if (opened.over || opened.local === undefined) return this.abort();
    this.view.associated(opened);
    this.#remote.order(['ASSOCIATED', this.#id, opened.local.address, opened.local.port]);
  }

  async #serve(key: AuthenticatedKey, host: string, port: number): Promise<void> {
    const { house } = this.#remote;
    const cleared = await clear(house, { key, client: this, denial: this.#denial, host, port });
    if (!('session' in cleared)) return this.#refuse(cleared);
    const { session, addresses } = cleared;
    if (this.#gone) return session.close();
    this.#session = session;
    this.view.bound(session, host, port);
    session.attach(this);
    // The first piece goes along, so that the first bytes do not have to ask.
    session.request(0);
    const traveller = { accountId: key.accountId, keyId: key.keyId, session: this.#flags?.session };
    const journey = house.journey(this.product, { traveller, addresses, port, timeoutMs: CONNECT_TIMEOUT_MS });
    this.#journey = new RemoteJourney(journey, house.resolveUpstream, {
      dial: (attempt) => this.#remote.order(['DIAL', this.#id, this.#remote.slabOf(session), session.slot, attempt]),
      stranded: (failure) => this.#stranded(failure, key.keyId),
      failed: (error) => this.#fail(error),
    });
    this.#journey.next();
  }

  #stranded(failure: JourneyFailure, keyId: bigint): void {
    this.#closeSession();
    const verdict = verdictOf(failure);
    if ('refusal' in verdict) this.#refused(verdict.refusal.code, keyId);
    this.#refuse(verdict);
  }

  #fail(error: unknown): void {
    this.#remote.house.log.error({ err: error, product: this.product }, 'a proxied connection failed');
    this.abort();
  }

  #refuse(verdict: Verdict): void {
    this.#remote.order(['REFUSE', this.#id, verdict]);
  }

  #refused(code: RefusalCode, keyId?: bigint, message?: string): void {
    this.#remote.house.refused(code, keyId, message, this);
  }

  #closeSession(): void {
    this.#session?.close();
    this.#session = undefined;
  }
}
