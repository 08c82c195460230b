import type { Descriptors } from './descriptors.ts';
import type { Side } from './hub.ts';
import { EINTR, epollLayout, K, must, type Syscalls } from './syscalls.ts';
import { generationOf, slotOf } from './table.ts';

/** Events taken at once. */
const MOST_EVENTS = 512;
/** In place of a generation, for what is no connection; `Table` begins at 1 and would take years to come here. */
const SPECIAL = 0xffffffff;

/** Who hears of events. */
export interface Listeners {
  readonly connection: (slot: number, generation: number, side: Side, bits: number) => void;
  /** @param index as given to `watchSpecial` */
  readonly special: (index: number) => void;
}

/** An epoll instance and the layout of its events. */
export class Poller {
  readonly #calls: Syscalls;
  readonly #fd: number;
  readonly #layout = epollLayout();
  readonly #events = Buffer.alloc(MOST_EVENTS * this.#layout.bytes);
  readonly #event = Buffer.alloc(this.#layout.bytes);
  #count = 0;

  constructor(calls: Syscalls, descriptors: Descriptors) {
    this.#calls = calls;
    this.#fd = descriptors.add(must(calls, 'epoll_create1', calls.epoll_create1(K.CLOEXEC)));
  }

  /** Edge-triggered, both ways. */
  watch(fd: number, id: number, side: Side): boolean {
    const bits = K.EPOLLIN | K.EPOLLOUT | K.EPOLLRDHUP | K.EPOLLET;
    return this.#add(fd, bits, slotOf(id) * 2 + side, generationOf(id));
  }

  /** Level-triggered: a listener that is not emptied is heard of again. */
  watchSpecial(fd: number, index: number): boolean {
    return this.#add(fd, K.EPOLLIN, index, SPECIAL);
  }

  ignore(fd: number): void {
    this.#calls.epoll_ctl(this.#fd, K.EPOLL_CTL_DEL, fd, this.#event);
  }

  /** Waits until there are events, or the time is over. */
  wait(timeoutMs: number): void {
    this.#count = this.#calls.epoll_wait(this.#fd, this.#events, MOST_EVENTS, timeoutMs);
    if (this.#count < 0 && this.#calls.errno() !== EINTR) must(this.#calls, 'epoll_wait', this.#count);
  }

  /** Tells of the events. */
  dispatch(listeners: Listeners): void {
    const { bytes, data } = this.#layout;
    for (let at = 0; at < this.#count * bytes; at += bytes) {
      const low = this.#events.readUInt32LE(at + data);
      const high = this.#events.readUInt32LE(at + data + 4);
      if (high === SPECIAL) listeners.special(low);
      else listeners.connection(low >>> 1, high, (low & 1) as Side, this.#events.readInt32LE(at));
    }
  }

  #add(fd: number, bits: number, low: number, high: number): boolean {
    this.#event.writeInt32LE(bits, 0);
    this.#event.writeUInt32LE(low, this.#layout.data);
    this.#event.writeUInt32LE(high, this.#layout.data + 4);
    return this.#calls.epoll_ctl(this.#fd, K.EPOLL_CTL_ADD, fd, this.#event) === 0;
  }
}
