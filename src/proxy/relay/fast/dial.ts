import { getSystemErrorName } from 'node:util';

import { KEEP_ALIVE_SECONDS } from '../../limits.ts';
import { dialFailure } from '../dialFailure.ts';
import type { DialFailure } from '../relay.ts';
import { encodeAddress } from './address.ts';
import { resetOnClose } from './clientSocket.ts';
import { TARGET, type Hub } from './hub.ts';
import { EINPROGRESS, K } from './syscalls.ts';

const ONE = Int32Array.of(1);
const KEEP_ALIVE = Int32Array.of(KEEP_ALIVE_SECONDS);

export interface DialPlan {
  readonly addresses: readonly string[];
  readonly port: number;
  /** By the worker's clock, for all of them. */
  readonly deadline: number;
  /** Address of this machine to dial from; the system chooses when absent. */
  readonly localAddress: string | undefined;
}

/** Connects to the first of some addresses that answers. */
export class Dial {
  readonly #hub: Hub;
  readonly #id: number;
  readonly #plan: DialPlan;
  #index = 0;
  /** Of the present attempt. */
  #address = '';
  #fd = -1;
  /** When the present attempt is given up. */
  #due = 0;
  #failure: DialFailure = 'HOST_UNREACHABLE';

  constructor(hub: Hub, id: number, plan: DialPlan) {
    this.#hub = hub;
    this.#id = id;
    this.#plan = plan;
  }

  /** The socket of the present attempt. */
  get fd(): number {
    return this.#fd;
  }

  get due(): number {
    return this.#due;
  }

  /** Of the last attempt. */
  get failure(): DialFailure {
    return this.#failure;
  }

  /** Begins the next attempt. @returns false when there is none left */
  next(): boolean {
    this.drop();
    const { addresses, deadline } = this.#plan;
    while (this.#index < addresses.length) {
      // An address that swallows packets leaves the ones after it their share of the time.
      const share = (deadline - this.#hub.now) / (addresses.length - this.#index);
      const address = addresses[this.#index++] ?? '';
      this.#due = this.#hub.now + share;
      if (this.#connect(address)) return true;
      this.drop();
    }
    return false;
  }

  /** Looks at an attempt after an event. @returns whether the target is connected */
  connected(): boolean {
    const value = new Int32Array(1);
    const { calls } = this.#hub;
    calls.getsockopt(this.#fd, K.SOL_SOCKET, K.SO_ERROR, value, Uint32Array.of(value.byteLength));
    const [errno = 0] = value;
    if (errno !== 0) this.#failed(errno);
    return errno === 0;
  }

  /** The present attempt took too long. */
  expired(): void {
    this.#failure = 'TIMED_OUT';
  }

  /** Gives the socket of the present attempt up. If somebody has answered, it is a reset: nobody waits any more. */
  drop(): void {
    if (this.#fd < 0) return;
    resetOnClose(this.#hub, this.#fd);
    this.#hub.descriptors.close(this.#fd);
    this.#fd = -1;
  }

  #connect(address: string): boolean {
    this.#address = address;
    const { calls, descriptors } = this.#hub;
    const { family, bytes } = encodeAddress(address, this.#plan.port);
    const fd = calls.socket(family, K.SOCK_STREAM | K.NONBLOCK | K.CLOEXEC, 0);
    if (fd < 0) return this.#failed(calls.errno());
    this.#fd = descriptors.add(fd);
    calls.setsockopt(fd, K.IPPROTO_TCP, K.TCP_NODELAY, ONE, ONE.byteLength);
    calls.setsockopt(fd, K.SOL_SOCKET, K.SO_KEEPALIVE, ONE, ONE.byteLength);
    calls.setsockopt(fd, K.IPPROTO_TCP, K.TCP_KEEPIDLE, KEEP_ALIVE, KEEP_ALIVE.byteLength);
    if (!this.#bind(fd)) return false;
    if (calls.connect(fd, bytes, bytes.length) < 0 && calls.errno() !== EINPROGRESS) return this.#failed(calls.errno());
    return this.#hub.watch(fd, this.#id, TARGET) || this.#failed(calls.errno());
  }

  /** Without a port: connecting chooses it, so that one port serves connections to many targets. */
  #bind(fd: number): boolean {
    const { localAddress } = this.#plan;
    if (localAddress === undefined) return true;
    const { calls } = this.#hub;
    const { bytes } = encodeAddress(localAddress, 0);
    calls.setsockopt(fd, K.IPPROTO_IP, K.IP_BIND_ADDRESS_NO_PORT, ONE, ONE.byteLength);
    return calls.bind(fd, bytes, bytes.length) === 0 || this.#failed(calls.errno(), true);
  }

  #failed(errno: number, binding = false): false {
    const { localAddress } = this.#plan;
    this.#failure = dialFailure({ code: getSystemErrorName(-errno), binding, address: this.#address, localAddress });
    return false;
  }
}
