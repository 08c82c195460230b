import type { LeaseCells, MeterSession } from '../metering/session.ts';
import type { House } from './house.ts';
import { DESCRIPTOR_BYTES, Descriptors } from './relay/fast/descriptors.ts';
import { FAST_PRODUCTS, FIGURE, FIGURES, type Order, type Report, type WorkerStart } from './relay/fast/messages.ts';
import { K, must, type Syscalls } from './relay/fast/syscalls.ts';
import { RelayThread } from './relayThread.ts';
import { RemoteConnection, type Remote } from './remoteConnection.ts';
import { Restarts } from './restarts.ts';
import type { Room } from './udp/association.ts';

/** What every worker of a frontend is started with, but for its own share. */
export interface SeatOptions extends Pick<WorkerStart, 'maxConnections' | 'idleTimeoutMs' | 'maxPipes' | 'listeners'> {
  readonly calls: Syscalls;
  readonly open: Int32Array;
  readonly index: number;
  readonly source: URL | undefined;
  readonly room: Room;
  /** A connection is over, or the thread has ended after it was told to drain. */
  readonly changed: () => void;
}

/** The place of one relay worker: holds its listeners and its connections, and replaces it when it crashes. */
export class WorkerSeat implements Remote {
  readonly house: House;
  readonly #options: SeatOptions;
  readonly #bell: number;
  readonly #figures = new Int32Array(new SharedArrayBuffer(FIGURES * Int32Array.BYTES_PER_ELEMENT));
  readonly #descriptors = new SharedArrayBuffer(DESCRIPTOR_BYTES);
  readonly #connections = new Map<number, RemoteConnection>();
  /** Blocks of cells that the present worker knows, by their first column. */
  readonly #slabs = new Map<Float64Array, number>();
  crashes = 0;
  #thread: RelayThread | undefined;
  readonly #restarts = new Restarts();
  #replacement: NodeJS.Timeout | undefined;
  /** Connections that were reported and are over. */
  #over = 0;
  #authenticated = 0;
  #tunnelsOver = 0;
  #draining = false;

  constructor(options: SeatOptions, house: House) {
    this.#options = options;
    this.house = house;
    const { calls } = options;
    this.#bell = must(calls, 'eventfd', calls.eventfd(0, K.NONBLOCK | K.CLOEXEC));
  }

  /** Starts the worker. @returns when it accepts */
  start(): Promise<void> {
    return this.#begin().ready;
  }

  #begin(): RelayThread {
    const { listeners, maxConnections, idleTimeoutMs, maxPipes, open, index, source } = this.#options;
    const shared = {
      figures: this.#figures,
      open,
      index,
      descriptors: this.#descriptors,
      forwardUntil: this.house.forwardUntil,
    };
    const posted = this.#figure(FIGURE.POSTED);
    const start = { listeners, maxConnections, idleTimeoutMs, maxPipes, shared, posted, bell: this.#bell };
    this.#slabs.clear();
    this.#restarts.started(performance.now());
    this.#thread = new RelayThread(
      start,
      { reported: (report) => this.#heard(report), ended: (error) => this.#ended(error) },
      source,
    );
    return this.#thread;
  }

  order(order: Order): void {
    this.#thread?.order(order);
  }

  slabOf({ cells }: MeterSession): number {
    const known = this.#slabs.get(cells.granted);
    if (known !== undefined) return known;
    const slab = this.#slabs.size;
    this.#slabs.set(cells.granted, slab);
    const { granted, up, down, acceptedUp, acceptedDown }: LeaseCells = cells;
    this.order(['SLAB', slab, { granted, up, down, acceptedUp, acceptedDown }]);
    return slab;
  }

  get room(): Room {
    return this.#options.room;
  }

  authenticated(): void {
    this.#authenticated++;
  }

  /** A key may not be good any more. */
  forget(): void {
    this.order(['FORGET']);
    this.#thread?.flush();
  }

  drain(): void {
    this.#draining = true;
    clearTimeout(this.#replacement);
    this.order(['DRAIN']);
  }

  /** Once it has ended. */
  close(): void {
    this.#options.calls.close(this.#bell);
  }

  abortAll(): void {
    this.order(['ABORT_ALL']);
  }

  /** Ends a thread that does not obey. */
  terminate(): void {
    this.#thread?.terminate('a relay worker did not end');
  }

  /** No thread runs, and none will. */
  get ended(): boolean {
    return this.#draining && this.#thread === undefined;
  }

  get accepted(): number {
    return this.#figure(FIGURE.ACCEPTED);
  }

  get connections(): number {
    return (this.accepted - this.#figure(FIGURE.VANISHED) - this.#over) | 0;
  }

  get handshakes(): number {
    return this.connections - this.#authenticated;
  }

  get tunnels(): number {
    return (this.#figure(FIGURE.RELAYED) - this.#tunnelsOver) | 0;
  }

  get paused(): boolean {
    return this.#figure(FIGURE.PAUSED) === 1;
  }

  #figure(place: number): number {
    return Atomics.load(this.#figures, place);
  }

  #heard(report: Report): void {
    switch (report[0]) {
      case 'AUTHENTICATE': {
        const [, id, username, address, product] = report;
        return this.#connection(id, address, product).authenticate(username);
      }
      case 'OPEN': {
        const [, id, username, address, product, host, port, http] = report;
        return this.#connection(id, address, product).open(username, host, port, http ? 'HTTP' : 'SOCKS5');
      }
      case 'ASSOCIATE': {
        const [, id, username, address, product, host, port, local] = report;
        return this.#connection(id, address, product).associate(username, { named: { host, port }, local });
      }
      case 'OPENED':
        return this.#connections.get(report[1])?.opened();
      case 'FAILED':
        return this.#connections.get(report[1])?.failed(report[2]);
      case 'WANT':
        return this.#connections.get(report[1])?.want(report[2]);
      case 'ACKNOWLEDGED':
        return this.#connections.get(report[1])?.acknowledged();
      case 'CLOSED':
        if (report[2]) this.#tunnelsOver++;
        return void this.#closed(report[1]);
      case 'REFUSED':
        return this.house.refused(report[1]);
    }
  }

  #connection(id: number, clientAddress: string, product: number): RemoteConnection {
    const known = this.#connections.get(id);
    if (known !== undefined) return known;
    const connection = new RemoteConnection(this, { id, clientAddress, product: FAST_PRODUCTS[product] ?? 'SHARED' });
    this.#connections.set(id, connection);
    return connection;
  }

  #closed(id: number): number {
    const connection = this.#connections.get(id);
    if (connection === undefined) return 0;
    this.#connections.delete(id);
    if (connection.key !== undefined) this.#authenticated--;
    const lost = connection.closed();
    this.#over++;
    this.#options.changed();
    return lost;
  }

  #ended(error: Error | undefined): void {
    this.#thread = undefined;
    const pauseMs = this.#restarts.pauseMs(performance.now());
    if (error !== undefined) this.#crashed(error, pauseMs);
    if (this.#draining) return this.#options.changed();
    // When it cannot be started, `ended` is heard again.
    this.#replacement = setTimeout(() => this.#begin(), pauseMs);
  }

  /** What the worker spent stays spent and is settled; what it had not delivered is the customer's. */
  #crashed(error: Error, pauseMs: number): void {
    const { calls, open, index } = this.#options;
    this.crashes++;
    new Descriptors(calls, this.#descriptors).closeAll();
    const connections = this.#connections.size;
    let undeliveredBytes = 0;
    for (const id of Array.from(this.#connections.keys())) undeliveredBytes += this.#closed(id);
    // Those it had not reported have gone with it.
    Atomics.store(open, index, 0);
    Atomics.store(this.#figures, FIGURE.VANISHED, (this.accepted - this.#over) | 0);
    this.#tunnelsOver = this.#figure(FIGURE.RELAYED);
    Atomics.store(this.#figures, FIGURE.ASLEEP, 0);
    this.house.log.error(
      { err: error, connections, undeliveredBytes, pauseMs },
      'a relay worker crashed and is replaced',
    );
  }
}
