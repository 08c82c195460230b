import type { MessagePort } from 'node:worker_threads';
import { receiveMessageOnPort } from 'node:worker_threads';

import { systemClock } from '../../../metering/clock.ts';
import { parseUsername } from '../../username.ts';
import { Acceptor, type Accepted } from './acceptor.ts';
import { Blocked } from './blocked.ts';
import { Descriptors } from './descriptors.ts';
import type { Flow } from './flow.ts';
import { GoodNames } from './goodNames.ts';
import { CLIENT, type Hub, type Side } from './hub.ts';
import { Link } from './link.ts';
import { FAST_PRODUCTS, FIGURE, type Order, type Report, type WorkerStart } from './messages.ts';
import { CarrierPool } from './pipes.ts';
import { Poller, type Listeners } from './poller.ts';
import { Strangers } from './strangers.ts';
import type { Syscalls } from './syscalls.ts';
import { Table } from './table.ts';
import { Timers } from './timers.ts';
import { flowSlab, type FlowSlab } from './tunnel.ts';

/** The largest read of a handshake: bounds what is kept of early data. */
const SCRATCH_BYTES = 16_384;
/** Milliseconds of moving bytes before events and orders are looked at again. */
const TURN_MS = 2;
/** Milliseconds between two looks whether bytes may be forwarded again. */
const SILENT_MS = 50;
/** `special` index of the eventfd; the listeners come first. */
const BELL = FAST_PRODUCTS.length;

type LinkOrder = Exclude<Order, readonly ['SLAB' | 'FORGET' | 'DRAIN' | 'ABORT_ALL' | 'LOWERED', ...unknown[]]>;

/** A relay worker: one thread that never waits for anything but its epoll instance. */
export class Loop implements Hub {
  readonly calls: Syscalls;
  readonly scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  readonly descriptors: Descriptors;
  readonly carriers: CarrierPool;
  readonly blocked: Blocked;
  readonly timers: Timers;
  readonly idleTimeoutMs: number;
  now = performance.now();
  readonly #port: MessagePort;
  readonly #start: WorkerStart;
  readonly #poller: Poller;
  readonly #acceptor: Acceptor;
  readonly #links: Table<Link>;
  readonly #names = new GoodNames();
  readonly #slabs: FlowSlab[] = [];
  readonly #listeners: Listeners;
  readonly #strangers = new Strangers((id) => this.#links.find(id));
  #turns: Flow[] = [];
  #reports: Report[] = [];
  #received: number;
  #open = 0;
  #draining = false;

  constructor(calls: Syscalls, port: MessagePort, start: WorkerStart) {
    this.calls = calls;
    this.#port = port;
    this.#start = start;
    this.idleTimeoutMs = start.idleTimeoutMs;
    this.#received = start.posted;
    // No generation has grown beyond the number of clients: orders for those of a crashed worker find nobody here.
    this.#links = new Table(Atomics.load(start.shared.figures, FIGURE.ACCEPTED) >>> 0);
    this.descriptors = new Descriptors(calls, start.shared.descriptors);
    this.carriers = new CarrierPool(calls, this.descriptors, start.maxPipes);
    this.timers = new Timers((id) => this.#links.find(id), this.now);
    this.blocked = new Blocked(this);
    this.#poller = new Poller(calls, this.descriptors);
    this.#poller.watchSpecial(start.bell, BELL);
    this.#acceptor = new Acceptor({
      ...start,
      calls,
      descriptors: this.descriptors,
      poller: this.#poller,
      accepted: (client) => this.#accepted(client),
    });
    this.#listeners = {
      connection: (slot, generation, side, bits) => this.#links.at(slot, generation)?.event(side, bits),
      special: (index) => this.#special(index),
    };
  }

  /** Works until it is told to drain and nothing is left. */
  run(): void {
    // An empty batch: it only says that the worker is there.
    this.#port.postMessage([]);
    while (!this.#draining || this.#open > 0) this.#turn();
    this.#flush();
    this.descriptors.closeAll();
  }

  watch(fd: number, id: number, side: Side): boolean {
    return this.#poller.watch(fd, id, side);
  }

  queue(flow: Flow): void {
    if (flow.queued) return;
    flow.queued = true;
    this.#turns.push(flow);
  }

  report(report: Report): void {
    this.#reports.push(report);
  }

  knows(username: string, product: number): boolean {
    const parsed = parseUsername(username);
    return 'flags' in parsed && this.#names.has(parsed.key, product, this.now);
  }

  learn(username: string, product: number): void {
    this.#names.add(parseUsername(username).key, product, this.now);
  }

  relaying(): void {
    Atomics.add(this.#start.shared.figures, FIGURE.RELAYED, 1);
  }

  closed(id: number, { announced, relayed }: { readonly announced: boolean; readonly relayed: boolean }): void {
    const { figures, open, index } = this.#start.shared;
    this.#links.delete(id);
    this.#open--;
    Atomics.sub(open, index, 1);
    if (announced) this.#reports.push(['CLOSED', id, relayed]);
    else Atomics.add(figures, FIGURE.VANISHED, 1);
  }

  #turn(): void {
    const { figures } = this.#start.shared;
    Atomics.add(figures, FIGURE.TURNS, 1);
    Atomics.store(figures, FIGURE.ASLEEP, 1);
    // Whoever posts after this look finds the worker asleep and rings.
    const ordered = Atomics.load(figures, FIGURE.POSTED) !== this.#received;
    this.#poller.wait(ordered ? 0 : this.#sleepMs());
    Atomics.store(figures, FIGURE.ASLEEP, 0);
    this.now = performance.now();
    // Before the events: what a client sends after a key was revoked must not find that key good.
    while (Atomics.load(figures, FIGURE.POSTED) !== this.#received) this.#obeyAll();
    this.#poller.dispatch(this.#listeners);
    this.timers.advance(this.now);
    this.blocked.look(this.now);
    this.#move();
    if (!this.#draining) this.#acceptor.check(this.now);
    this.#flush();
  }

  #sleepMs(): number {
    const sleepMs = this.timers.sleepMs(performance.now());
    if (this.#turns.length === 0) return sleepMs;
    return this.#mayForwardMs > 0 ? 0 : Math.min(SILENT_MS, sleepMs);
  }

  /** Milliseconds for which bytes may be forwarded, unless it becomes more meanwhile. */
  get #mayForwardMs(): number {
    return (this.#start.shared.forwardUntil[0] ?? 0) - systemClock.now();
  }

  /** Gives every flow its turn, in order, until the time is over. */
  #move(): void {
    // Not from the start of the turn: however long the rest took, bytes get their share.
    const until = performance.now() + Math.min(TURN_MS, this.#mayForwardMs);
    let flows = this.#turns;
    while (flows.length > 0) {
      this.#turns = [];
      for (const [index, flow] of flows.entries()) {
        if (performance.now() >= until) {
          this.#turns = [...flows.slice(index), ...this.#turns];
          return;
        }
        flow.queued = false;
        flow.owner.pump(flow);
      }
      flows = this.#turns;
    }
  }

  #special(index: number): void {
    if (index !== BELL) return this.#acceptor.ready(index, this.now);
    this.calls.read(this.#start.bell, this.scratch, 8);
  }

  #accepted(client: Accepted): void {
    const link = new Link(this, this.#links.nextId(), client);
    this.#links.set(link);
    this.#open++;
    if (!this.watch(client.fd, link.id, CLIENT)) return link.abort();
    this.#strangers.add(link.id);
  }

  #obeyAll(): void {
    const received = receiveMessageOnPort(this.#port);
    if (received === undefined) return;
    const orders = received.message as readonly Order[];
    this.#received = (this.#received + 1) | 0;
    for (const order of orders) this.#obey(order);
  }

  #obey(order: Order): void {
    const kind = order[0];
    if (kind === 'SLAB') this.#slabs[order[1]] = flowSlab(order[2]);
    else if (kind === 'FORGET') this.#names.forget();
    else if (kind === 'DRAIN') this.#drain();
    else if (kind === 'ABORT_ALL') for (const link of this.#links.all()) link.abort();
    // Nothing is being spent while orders are read: from here on the lower value is the one that counts.
    else if (kind === 'LOWERED') this.report(['ACKNOWLEDGED', order[1]]);
    else this.#obeyFor(order);
  }

  #obeyFor(order: LinkOrder): void {
    const link = this.#links.find(order[1]);
    if (link === undefined) return;
    if (order[0] === 'AUTHENTICATED') link.authenticated(order[2]);
    else if (order[0] === 'DENIED') link.denied();
    else if (order[0] === 'REFUSE') link.refused(order[2]);
    else if (order[0] === 'GRANTED') link.granted();
    else if (order[0] === 'ABORT') link.abort();
    else if (order[0] === 'ASSOCIATED') link.associated({ address: order[2], port: order[3] });
    else {
      const cells = this.#slabs[order[2]];
      if (cells !== undefined) link.dial(order[4], { cells, slot: order[3] });
    }
  }

  #drain(): void {
    this.#draining = true;
    this.#acceptor.stop();
    for (const link of this.#links.all()) if (!link.relaying) link.abort();
  }

  #flush(): void {
    if (this.#reports.length === 0) return;
    const reports = this.#reports;
    this.#reports = [];
    this.#port.postMessage(reports);
  }
}
