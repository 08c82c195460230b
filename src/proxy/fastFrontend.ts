import { isIPv6, type AddressInfo } from 'node:net';

import { FrontendUnusable, type Frontend, type FrontendCounts, type House, type ProxyProduct } from './house.ts';
import { DESCRIPTORS_PER_CONNECTION } from './limits.ts';
import type { FrontendOptions } from './portableFrontend.ts';
import { listenSockets, type ListenerSocket } from './relay/fast/listen.ts';
import { FAST_PRODUCTS } from './relay/fast/messages.ts';
import { probe } from './relay/fast/probe.ts';
import { K, type Syscalls } from './relay/fast/syscalls.ts';
import type { Room } from './udp/association.ts';
import { WorkerSeat } from './workerSeat.ts';

/** Bytes in flight take a pipe, two descriptors more; all workers together have so many. */
const MAX_PIPES = 192;
/** Milliseconds in which a worker ends once it was told to cut everything; one that does not hangs. */
const ABORT_LIMIT_MS = 2_000;

export interface FastOptions extends FrontendOptions {
  readonly workers: number;
  /** The worker's code, when it is not the usual one. */
  readonly workerSource?: URL | undefined;
}

/** Clients in relay workers, which splice in the kernel: for Linux. */
export class FastFrontend implements Frontend {
  readonly relay = 'fast';
  readonly #options: FastOptions;
  readonly #house: House;
  readonly #calls: Syscalls;
  #sockets: ListenerSocket[] = [];
  #seats: readonly WorkerSeat[] = [];
  #changed: () => void = () => undefined;

  /** @throws Error when this machine cannot run it */
  constructor(options: FastOptions, house: House) {
    this.#options = options;
    this.#house = house;
    this.#calls = probe();
  }

  async listen(): Promise<Readonly<Record<ProxyProduct, AddressInfo>>> {
    const { host, ports, workers } = this.#options;
    const byProduct: ListenerSocket[][] = [];
    try {
      for (const product of FAST_PRODUCTS) {
        const sockets = await listenSockets(this.#calls, host, ports[product], workers);
        this.#sockets.push(...sockets);
        byProduct.push(sockets);
      }
      await this.#start(byProduct);
    } catch (error) {
      await this.drain(0);
      throw error;
    }
    const [shared, dedicated] = byProduct.map(([socket]) => addressInfo(socket));
    if (shared === undefined || dedicated === undefined) throw new Error('no listeners');
    return { SHARED: shared, DEDICATED: dedicated };
  }

  async drain(timeoutMs: number): Promise<number> {
    let cut = 0;
    // Refuses clients from now on. Closing waits for the workers: the number may be another file's at once.
    for (const { fd } of this.#sockets) this.#calls.shutdown(fd, K.SHUT_RDWR);
    for (const seat of this.#seats) seat.drain();
    if (!this.#ended) {
      const over = new Promise<void>((resolve) => {
        this.#changed = () => {
          if (this.#ended) resolve();
        };
      });
      const deadline = setTimeout(() => {
        cut = this.counts.tunnels;
        for (const seat of this.#seats) seat.abortAll();
      }, timeoutMs);
      const limit = setTimeout(() => this.#seats.forEach((seat) => seat.terminate()), timeoutMs + ABORT_LIMIT_MS);
      await over;
      clearTimeout(deadline);
      clearTimeout(limit);
    }
    for (const { fd } of this.#sockets) this.#calls.close(fd);
    for (const seat of this.#seats) seat.close();
    this.#sockets = [];
    this.#seats = [];
    return cut;
  }

  forget(): void {
    for (const seat of this.#seats) seat.forget();
  }

  get counts(): FrontendCounts {
    const sum = (figure: (seat: WorkerSeat) => number): number =>
      this.#seats.reduce((total, seat) => total + figure(seat), 0);
    return {
      connections: sum((seat) => seat.connections),
      handshakes: sum((seat) => seat.handshakes),
      tunnels: sum((seat) => seat.tunnels),
      accepted: sum((seat) => seat.accepted),
      paused: this.#seats.some((seat) => seat.paused),
      crashes: sum((seat) => seat.crashes),
    };
  }

  async #start(byProduct: readonly ListenerSocket[][]): Promise<void> {
    const { workers, maxDescriptors, workerSource } = this.#options;
    // Of each worker, and what associations add to all of them.
    const open = new Int32Array(new SharedArrayBuffer((workers + 1) * Int32Array.BYTES_PER_ELEMENT));
    const maxConnections = Math.floor(maxDescriptors / DESCRIPTORS_PER_CONNECTION);
    const common = {
      calls: this.#calls,
      open,
      maxConnections,
      room: roomIn(open, workers, maxConnections),
      idleTimeoutMs: this.#house.idleTimeoutMs,
      maxPipes: Math.max(1, Math.floor(MAX_PIPES / workers)),
      source: workerSource,
      changed: () => this.#changed(),
    };
    this.#seats = Array.from({ length: workers }, (_, index) => {
      const listeners = byProduct.map((sockets) => sockets[index]?.fd ?? -1);
      return new WorkerSeat({ ...common, index, listeners }, this.#house);
    });
    try {
      await Promise.all(this.#seats.map((seat) => seat.start()));
    } catch (error) {
      throw new FrontendUnusable('a relay worker cannot be started', { cause: error });
    }
  }

  get #ended(): boolean {
    return this.#seats.every((seat) => seat.ended);
  }
}

/**
 * An association has up to three sockets beside its client's connection: as many as two connections together.
 * @param place where in `open` they are counted
 */
function roomIn(open: Int32Array, place: number, maxConnections: number): Room {
  return {
    take() {
      const taken = open.reduce((sum, _count, index) => sum + Atomics.load(open, index), 0);
      if (taken >= maxConnections) return false;
      Atomics.add(open, place, 1);
      return true;
    },
    give: () => void Atomics.sub(open, place, 1),
  };
}

function addressInfo(socket: ListenerSocket | undefined): AddressInfo | undefined {
  if (socket === undefined) return undefined;
  const { address, port } = socket;
  return { address, port, family: isIPv6(address) ? 'IPv6' : 'IPv4' };
}
