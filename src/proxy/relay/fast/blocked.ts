import type { Flow } from './flow.ts';
import type { Hub } from './hub.ts';
import { K } from './syscalls.ts';

/** Milliseconds between two looks; a worker that sleeps may be later. */
const LOOK_MS = 250;
/** Sockets that one call looks at. */
const MOST_AT_ONCE = 1_024;
/** `struct pollfd`: descriptor, events that are wanted, events that there are (poll(2)). */
const ITEM_BYTES = 8;
const [WANTED, FOUND] = [4, 6];

/**
 * Flows whose target took nothing more. An event tells of room when the other side has acknowledged bytes. While the
 * system's memory for TCP is scarce (tcp(7), `tcp_mem`) a socket may refuse bytes although it has room, and when
 * nothing of it is under way no event ever comes: so they are looked at now and then.
 */
export class Blocked {
  readonly #hub: Pick<Hub, 'calls' | 'queue'>;
  readonly #items = Buffer.alloc(MOST_AT_ONCE * ITEM_BYTES);
  #flows: Flow[] = [];
  #due = 0;

  constructor(hub: Pick<Hub, 'calls' | 'queue'>) {
    this.#hub = hub;
  }

  add(flow: Flow): void {
    if (flow.listed) return;
    flow.listed = true;
    this.#flows.push(flow);
  }

  /** Gives those a turn that may be tried again. @param now milliseconds */
  look(now: number): void {
    if (this.#flows.length === 0 || now < this.#due) return;
    this.#due = now + LOOK_MS;
    for (const flow of this.#flows) flow.listed = flow.blocked;
    this.#flows = this.#flows.filter(({ listed }) => listed);
    for (let start = 0; start < this.#flows.length; start += MOST_AT_ONCE) {
      this.#retry(this.#flows.slice(start, start + MOST_AT_ONCE));
    }
  }

  #retry(flows: readonly Flow[]): void {
    for (const [index, { target }] of flows.entries()) {
      this.#items.writeInt32LE(target.fd, index * ITEM_BYTES);
      this.#items.writeInt16LE(K.POLLOUT, index * ITEM_BYTES + WANTED);
    }
    if (this.#hub.calls.poll(this.#items, flows.length, 0) <= 0) return;
    for (const [index, flow] of flows.entries()) {
      if (this.#items.readInt16LE(index * ITEM_BYTES + FOUND) === 0) continue;
      flow.target.writable = true;
      this.#hub.queue(flow);
    }
  }
}
