import type { RefusalCode } from '../../errors.ts';
import type { Denial } from '../../keyRules.ts';
import type { Direction, MeterSession } from '../../metering/session.ts';
import type { ExitSpec } from '../exits/config.ts';
import type { Departure } from '../exits/journey.ts';
import { NO_SOCKET, type Passage } from '../exits/passage.ts';
import type { House, RefusedClient } from '../house.ts';
import { Abandonment } from '../relay/abandonment.ts';
import type { Peer } from '../relay/relay.ts';
import { Backlog } from './backlog.ts';
import { ClientSide, type ClientSidePlan } from './clientSide.ts';
import type { Datagram } from './datagram.ts';
import { openOutward, type Outward } from './outward.ts';
import type { Correspondent } from './peers.ts';
import { Routes } from './routes.ts';
import { MAX_DATAGRAM_BYTES } from './socket.ts';

/** Room among the process's descriptors for the sockets of an association. */
export interface Room {
  /** @returns false when there is none */
  take(): boolean;
  give(): void;
}

export interface AssociationPlan extends ClientSidePlan {
  readonly house: House;
  readonly client: RefusedClient;
  /** The association's from now on, as is the room, which was taken. */
  readonly session: MeterSession;
  readonly room: Room;
  /** Called once when it ends after it has begun, whatever the reason: its TCP connection is to end, too. */
  readonly ended: () => void;
}

/** Bytes that a datagram costs at least: an empty one occupies network and target like any other. */
const LEAST_COST = 1;

/** A datagram on its way: to the correspondent (`up`), or from it. */
interface Parcel {
  readonly direction: Direction;
  readonly correspondent: Correspondent;
  readonly payload: Buffer;
}

/**
 * Datagrams between one client and whom it writes to (RFC 1928, section 7). Each is spent whole before it
 * is sent, its payload that is; an empty one costs a byte, so that none is free. One that the lease does not
 * cover waits for credit, as long as there is room, and is dropped beyond. What the kernel refuses is given back.
 */
export class Association {
  readonly #plan: AssociationPlan;
  readonly #clientSide: ClientSide;
  readonly #routes: Routes;
  readonly #backlog = new Backlog();
  readonly #abandonment = new Abandonment();
  /** Wait for credit, in order. */
  readonly #held: Parcel[] = [];
  /** Payload that was spent and that the kernel has not taken yet. */
  readonly #pending = { up: 0, down: 0 };
  readonly #idle: NodeJS.Timeout;
  #local: Peer | undefined;
  #outward: Outward | undefined;
  #departure: Departure | undefined;
  #forbade = false;
  #over = false;
  #exit: string | undefined;

  constructor(plan: AssociationPlan) {
    const { house, session } = plan;
    const { fence, relayPorts } = house;
    this.#plan = plan;
    this.#routes = new Routes({
      fence,
      relayPorts,
      keyId: session.keyId,
      reaches: (address) => this.#outward?.reaches(address) === true,
      forbidden: () => this.#forbidden(),
    });
    this.#clientSide = new ClientSide(
      plan,
      (datagram) => this.#up(datagram),
      () => this.end(),
    );
    this.#idle = setTimeout(() => this.end(), house.idleTimeoutMs);
    session.attach({
      granted: () => this.#release(),
      ended: (reason) => this.#cut(reason),
      unaccepted: (direction) => this.#pending[direction],
    });
  }

  /** Nothing moves any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Where the client is to send its datagrams, once it has begun. */
  get local(): Peer | undefined {
    return this.#local;
  }

  get session(): MeterSession {
    return this.#plan.session;
  }

  /** What its owner is told of the exit, once it has begun. */
  get exit(): string | undefined {
    return this.#exit;
  }

  /**
   * Opens what it needs before the client has its reply.
   * @returns why that was impossible; not when it has ended meanwhile, which `over` tells
   */
  async begin(passage: Passage): Promise<Denial | undefined> {
    try {
      this.#local = await this.#clientSide.bound;
    } catch (error) {
      this.#plan.house.log.error({ err: error }, 'a UDP socket could not be opened');
      return NO_SOCKET;
    }
    if (this.#over) return undefined;
    this.#plan.house.relayPorts.add(this.#local);
    for (let spec = passage.next(); spec !== undefined; spec = passage.next()) {
      if (await this.#leave(spec, passage)) return undefined;
    }
    return passage.denial;
  }

  /** Ends it at once, and gives back what the kernel has not taken. Idempotent. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#abandonment.abandon();
    clearTimeout(this.#idle);
    this.#held.length = 0;
    const { session, house, room, ended } = this.#plan;
    for (const direction of ['up', 'down'] as const) {
      if (this.#pending[direction] > 0) session.refund(direction, this.#pending[direction]);
    }
    session.close();
    this.#clientSide.close();
    this.#outward?.close();
    this.#departure?.closed();
    if (this.#local !== undefined) house.relayPorts.delete(this.#local);
    room.give();
    if (this.#outward !== undefined) ended();
  }

  /** @returns whether the exit does its work; true, too, when there is nobody left to work for */
  async #leave(spec: ExitSpec, passage: Passage): Promise<boolean> {
    const { fence, resolveUpstream } = this.#plan.house;
    const opened = await openOutward(
      spec,
      { fence, resolveUpstream, abandonment: this.#abandonment },
      {
        heard: (payload, address, port) => this.#down(payload, address, port),
        failed: () => this.end(),
      },
    );
    if ('blame' in opened) {
      // When it has ended meanwhile, that is why it came to nothing.
      if (!this.#over) passage.failed(opened);
      return this.#over;
    }
    if (this.#over) opened.close();
    else {
      this.#outward = opened;
      this.#departure = passage.opened();
      const { house, client, session } = this.#plan;
      this.#exit = house.departed(client.product, session, this.#departure.label);
    }
    return true;
  }

  #up({ host, port, payload }: Datagram): void {
    if (this.#over || this.#outward === undefined) return;
    const route = this.#routes.find(host, port);
    if (!(route instanceof Promise)) return this.#pass('up', route, payload);
    if (!this.#backlog.take(payload.length)) return;
    route
      .finally(() => this.#backlog.give(payload.length))
      .then((found) => this.#pass('up', found, payload))
      .catch((error: unknown) => this.#plan.house.log.error({ err: error }, 'a datagram could not be sent'));
  }

  #down(payload: Buffer, address: string, port: number): void {
    if (!this.#over) this.#pass('down', this.#routes.answering(address, port), payload);
  }

  #pass(direction: Direction, correspondent: Correspondent | undefined, payload: Buffer): void {
    if (this.#over || correspondent === undefined) return;
    const wrapped = payload.length + (direction === 'down' ? correspondent.header.length : 0);
    if (wrapped > MAX_DATAGRAM_BYTES) return;
    const parcel = { direction, correspondent, payload };
    if (this.#held.length === 0 && this.#forward(parcel)) return;
    if (!this.#over && this.#backlog.take(payload.length)) this.#held.push(parcel);
  }

  /** More may be spent. */
  #release(): void {
    for (let [first] = this.#held; first !== undefined && this.#forward(first); [first] = this.#held) {
      this.#held.shift();
      this.#backlog.give(first.payload.length);
    }
  }

  /** @returns false when the credit does not cover it */
  #forward({ direction, correspondent, payload }: Parcel): boolean {
    const { session } = this.#plan;
    const outward = this.#outward;
    if (outward === undefined) return true;
    // The kernel has enough to do: it is lost, as it would be on any network, before it has cost anything.
    if (direction === 'up' ? outward.full(correspondent.address) : this.#clientSide.full) return true;
    const bytes = Math.max(LEAST_COST, payload.length);
    if (!session.spendWhole(direction, bytes)) return false;
    this.#pending[direction] += bytes;
    const sent = (error: Error | null): void => {
      if (this.#over) return;
      this.#pending[direction] -= bytes;
      if (error !== null) session.refund(direction, bytes);
    };
    if (direction === 'up') outward.send(payload, correspondent, sent);
    else this.#clientSide.send(correspondent.header, payload, sent);
    this.#idle.refresh();
    return true;
  }

  #cut(reason: RefusalCode): void {
    if (this.#over) return;
    this.#refused(reason);
    this.end();
  }

  /** Once: the reason is the same, and a client may try a thousand times a second. */
  #forbidden(): void {
    if (this.#forbade) return;
    this.#forbade = true;
    this.#refused('EGRESS_FORBIDDEN');
  }

  #refused(code: RefusalCode): void {
    const { house, session, client } = this.#plan;
    house.refused(code, session.keyId, undefined, client);
  }
}
