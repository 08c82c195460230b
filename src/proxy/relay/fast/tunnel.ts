import type { LeaseCells } from '../../../metering/session.ts';
import { Flow, type End, type FlowCells, type FlowOwner, type Outcome } from './flow.ts';
import { CLIENT, type Hub, type Side } from './hub.ts';
import { Lease } from './lease.ts';
import { K } from './syscalls.ts';

const READ_EVENTS = K.EPOLLIN | K.EPOLLRDHUP | K.EPOLLHUP | K.EPOLLERR;
const WRITE_EVENTS = K.EPOLLOUT | K.EPOLLHUP | K.EPOLLERR;

/** A block of cells as the flows of its connections use it. */
export interface FlowSlab extends LeaseCells {
  readonly flows: { readonly up: FlowCells; readonly down: FlowCells };
}

/** @param cells as the main thread has shared them */
export function flowSlab(cells: LeaseCells): FlowSlab {
  const up = { spent: cells.up, accepted: cells.acceptedUp };
  const down = { spent: cells.down, accepted: cells.acceptedDown };
  return { ...cells, flows: { up, down } };
}

/** Where the credit of a connection lies. */
export interface Place {
  readonly cells: FlowSlab;
  readonly slot: number;
}

/** What a tunnel tells the connection it belongs to. */
export interface TunnelOwner {
  readonly id: number;
  /** Bytes moved. */
  active(): void;
  /** Both ends were passed on. */
  finished(): void;
  failed(): void;
}

/** Two flows between two sockets, under one lease. */
export class Tunnel implements FlowOwner {
  readonly #hub: Hub;
  readonly #owner: TunnelOwner;
  readonly #lease: Lease;
  readonly #up: Flow;
  readonly #down: Flow;
  /** The client has reset: nothing reaches it, and nothing new comes from it. */
  #clientReset = false;
  #open = true;

  constructor(hub: Hub, owner: TunnelOwner, ends: { client: End; target: End }, { cells, slot }: Place) {
    const { client, target } = ends;
    this.#hub = hub;
    this.#owner = owner;
    this.#lease = new Lease(cells, slot);
    this.#up = new Flow(this, hub, { source: client, target }, this.#lease, cells.flows.up);
    this.#down = new Flow(this, hub, { source: target, target: client }, this.#lease, cells.flows.down);
  }

  /**
   * @param early what the client sent behind its request, and the target behind the answer of its proxy
   * @param clientEnded that was all the client will send
   */
  begin(early: { readonly up: Buffer; readonly down: Buffer }, clientEnded: boolean): void {
    this.#up.begin(early.up, clientEnded);
    this.#down.begin(early.down, false);
    this.#queue(this.#up);
    this.#queue(this.#down);
  }

  event(side: Side, bits: number): void {
    const end = side === CLIENT ? this.#up.source : this.#down.source;
    const [from, to] = side === CLIENT ? [this.#up, this.#down] : [this.#down, this.#up];
    if ((bits & K.EPOLLERR) !== 0) {
      this.#clientReset ||= side === CLIENT;
      // Nobody reads there any more, who would find out. While the client is behind, it still gets what the target sent.
      if (from.ended || (side === CLIENT && !from.target.writable)) return this.#owner.failed();
    }
    if ((bits & READ_EVENTS) !== 0) {
      end.readable = true;
      this.#queue(from);
    }
    if ((bits & WRITE_EVENTS) !== 0) {
      end.writable = true;
      this.#queue(to);
    }
  }

  granted(): void {
    this.#lease.answered();
    this.#queue(this.#up);
    this.#queue(this.#down);
  }

  pump(flow: Flow): void {
    if (!this.#open || flow.ended) return;
    const outcome = flow.pump();
    if (flow.moved) this.#moved();
    this.#act(flow, outcome);
  }

  /** Moves nothing any more. @returns whether the target of each direction has been told its end */
  stop(): { readonly client: boolean; readonly target: boolean } {
    this.#open = false;
    this.#up.release();
    this.#down.release();
    return { client: this.#down.ended, target: this.#up.ended };
  }

  #moved(): void {
    this.#owner.active();
    if (this.#lease.runsLow()) this.#hub.report(['WANT', this.#owner.id, 0]);
  }

  #act(flow: Flow, outcome: Outcome): void {
    const stuck = outcome === 'WAITING' && flow === this.#up && !flow.target.writable;
    if (outcome === 'AGAIN') this.#queue(flow);
    else if (stuck && this.#clientReset) this.#owner.failed();
    else if (outcome === 'FAILED') this.#owner.failed();
    else if (outcome === 'ENDED' && this.#up.ended && this.#down.ended) this.#owner.finished();
    else if (outcome === 'DRY') {
      const bytes = this.#lease.want();
      if (bytes > 0) this.#hub.report(['WANT', this.#owner.id, bytes]);
    }
  }

  #queue(flow: Flow): void {
    if (!flow.ended) this.#hub.queue(flow);
  }
}
