import { WebSocket } from 'ws';

import type { UsageStreamEvent } from '../resolvers/usage/stream.ts';
import type { UsageStream } from '../resolvers/usage/streamReader.ts';

/** Unsent bytes at which a socket leaves the common pace and gets sums at its own. */
const SLOW_BYTES = 256 * 1024;
/** Unsent bytes below which a slow socket is given its next event. */
const DRAINED_BYTES = 16 * 1024;
/** How often a slow socket is looked at. */
const DRAIN_POLL_MS = 50;

/** One subscription of one socket. */
export interface Subscriber {
  readonly socket: WebSocket;
  /** The message up to its payload: `{"id":"1","type":"next","payload":`. */
  readonly opening: string;
  /** The stream is over, with a failure or without. */
  readonly ended: (failure: Error | undefined) => void;
}

/** Subscribers that are at the same number: one stream read, executed and serialised for all of them. */
interface Lane {
  readonly stream: UsageStream;
  readonly subscribers: Set<Subscriber>;
  /** Number up to which its subscribers were told; undefined before their first event. */
  position: bigint | undefined;
  closed: boolean;
}

/**
 * Identical subscriptions: the same document, variables and rights. Each newcomer starts in a lane of
 * its own, with its own snapshot or cursor, and joins the main lane once both are at the same number. A
 * socket that cannot keep up leaves it for a lane of its own, where it gets sums, and may come back.
 */
export class Channel {
  readonly #render: (event: UsageStreamEvent) => Promise<string>;
  readonly #onEmpty: () => void;
  readonly #lanes = new Set<Lane>();
  readonly #laneOf = new Map<Subscriber, Lane>();
  #main: Lane | undefined;

  /**
   * @param render executes an event and serialises the result
   * @param onEmpty called when the last subscriber has left
   */
  constructor(render: (event: UsageStreamEvent) => Promise<string>, onEmpty: () => void) {
    this.#render = render;
    this.#onEmpty = onEmpty;
  }

  /** Streams being read: 1 when all subscribers keep the common pace. */
  get lanes(): number {
    return this.#lanes.size;
  }

  /** Takes over the stream. */
  join(stream: UsageStream, subscriber: Subscriber): void {
    this.#open(stream, undefined, subscriber);
  }

  leave(subscriber: Subscriber): void {
    const lane = this.#laneOf.get(subscriber);
    if (lane === undefined) return;
    this.#laneOf.delete(subscriber);
    lane.subscribers.delete(subscriber);
    if (lane.subscribers.size === 0) this.#close(lane);
    if (this.#laneOf.size === 0) this.#onEmpty();
  }

  #open(stream: UsageStream, position: bigint | undefined, subscriber: Subscriber): void {
    const lane: Lane = { stream, subscribers: new Set([subscriber]), position, closed: false };
    this.#lanes.add(lane);
    this.#laneOf.set(subscriber, lane);
    void this.#run(lane);
  }

  #close(lane: Lane): void {
    lane.closed = true;
    lane.stream.close();
    this.#lanes.delete(lane);
    if (this.#main === lane) this.#main = undefined;
  }

  async #run(lane: Lane): Promise<void> {
    let failure: Error | undefined;
    try {
      for (;;) {
        await drained(lane, DRAINED_BYTES);
        const event = await lane.stream.next();
        if (lane.closed || event === undefined) break;
        const payload = await this.#render(event);
        await drained(lane, SLOW_BYTES);
        if (lane.closed) break;
        this.#deliver(lane, payload);
        lane.position = event.seq;
        this.#gather(lane);
      }
    } catch (error) {
      failure = error instanceof Error ? error : new Error('a stream failed', { cause: error });
    }
    const ended = [...lane.subscribers];
    if (lane.closed) return;
    for (const subscriber of ended) {
      this.leave(subscriber);
      subscriber.ended(failure);
    }
  }

  #deliver(lane: Lane, payload: string): void {
    for (const subscriber of lane.subscribers) {
      if (lane.subscribers.size > 1 && lane.position !== undefined && isSlow(subscriber)) {
        lane.subscribers.delete(subscriber);
        this.#open(lane.stream.fork(lane.position), lane.position, subscriber);
      } else if (subscriber.socket.readyState === WebSocket.OPEN) {
        subscriber.socket.send(`${subscriber.opening}${payload}}`);
      }
    }
  }

  /** Brings together what is at the same number. A lane may be absorbed at any time: what it has read and not delivered is read by the main lane too. */
  #gather(lane: Lane): void {
    this.#main ??= lane;
    const main = this.#main;
    if (lane !== main) {
      this.#absorb(main, lane);
      return;
    }
    if (this.#lanes.size > 1) for (const other of this.#lanes) this.#absorb(main, other);
  }

  #absorb(main: Lane, lane: Lane): void {
    if (lane === main || lane.position === undefined || lane.position !== main.position) return;
    for (const subscriber of lane.subscribers) {
      if (isSlow(subscriber)) return;
    }
    for (const subscriber of lane.subscribers) {
      main.subscribers.add(subscriber);
      this.#laneOf.set(subscriber, main);
    }
    this.#close(lane);
  }
}

function isSlow({ socket }: Subscriber): boolean {
  return socket.bufferedAmount > SLOW_BYTES;
}

/** A lone subscriber sets the pace of its lane: waits until at most `bytes` are unsent. */
async function drained(lane: Lane, bytes: number): Promise<void> {
  for (;;) {
    const [only] = lane.subscribers;
    if (lane.closed || lane.subscribers.size !== 1 || only === undefined) return;
    if (only.socket.bufferedAmount <= bytes) return;
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
  }
}
