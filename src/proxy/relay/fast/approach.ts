import { beginUpstream, isUpstream, targetSetback, upstreamUnreached } from '../../exits/attempt.ts';
import type { Setback } from '../../exits/exit.ts';
import type { UpstreamHandshake } from '../../exits/upstream.ts';
import type { Peer } from '../relay.ts';
import { decodeAddress, SOCKADDR_BYTES } from './address.ts';
import { Dial } from './dial.ts';
import type { Hub } from './hub.ts';
import type { RemoteAttempt } from './messages.ts';
import { EAGAIN, EINTR, K } from './syscalls.ts';
import type { Place } from './tunnel.ts';

/** `OPEN`: what is sent to the socket from now on goes to the target. A setback: the attempt came to nothing. */
export type Step = 'WAITING' | 'OPEN' | Setback;

const NOTHING = Buffer.alloc(0);

/** Carries one attempt out: dials, and leads the handshake with an upstream proxy when the exit is one. */
export class Approach {
  /** Where the credit of the tunnel to be lies. */
  readonly place: Place;
  readonly #hub: Hub;
  readonly #attempt: RemoteAttempt;
  readonly #dial: Dial;
  readonly #deadline: number;
  /** Begun when the upstream proxy is reached. */
  #handshake: UpstreamHandshake | undefined;
  /** What the other side sent and nobody took. */
  #waiting: Buffer = NOTHING;

  constructor(hub: Hub, id: number, attempt: RemoteAttempt, place: Place) {
    this.place = place;
    const { spec, address, upstreamAddresses, port, timeoutMs } = attempt;
    this.#hub = hub;
    this.#attempt = attempt;
    this.#deadline = hub.now + timeoutMs;
    this.#dial = new Dial(hub, id, {
      addresses: isUpstream(spec) ? upstreamAddresses : [address],
      port: isUpstream(spec) ? spec.port : port,
      deadline: this.#deadline,
      localAddress: spec.kind === 'BIND' ? spec.address : undefined,
    });
  }

  get fd(): number {
    return this.#dial.fd;
  }

  /** When to call `expired`. */
  get due(): number {
    return this.#handshake === undefined ? this.#dial.due : this.#deadline;
  }

  /** The address of this machine that the target was dialled from. */
  get local(): Peer | undefined {
    if (isUpstream(this.#attempt.spec)) return undefined;
    const address = Buffer.alloc(SOCKADDR_BYTES);
    this.#hub.calls.getsockname(this.fd, address, Uint32Array.of(SOCKADDR_BYTES));
    return decodeAddress(address);
  }

  begin(): Step {
    return this.#dial.next() ? 'WAITING' : this.#unreached();
  }

  /** The socket has news. */
  event(bits: number): Step {
    if (this.#handshake !== undefined) return this.#listen(this.#handshake);
    if ((bits & (K.EPOLLOUT | K.EPOLLERR | K.EPOLLHUP)) === 0) return 'WAITING';
    return this.#dial.connected() ? this.#connected() : this.begin();
  }

  expired(): Step {
    if (this.#handshake !== undefined) return this.#handshake.broken('TIMED_OUT');
    this.#dial.expired();
    return this.begin();
  }

  /** Hands over what the target sent behind the answer of an upstream proxy. */
  take(): Buffer {
    const taken = this.#waiting;
    this.#waiting = NOTHING;
    return taken;
  }

  /** Gives the socket up. */
  drop(): void {
    this.#dial.drop();
  }

  #unreached(): Setback {
    const { failure } = this.#dial;
    return isUpstream(this.#attempt.spec) ? upstreamUnreached(failure) : targetSetback(failure);
  }

  #connected(): Step {
    const { spec, address, port } = this.#attempt;
    if (!isUpstream(spec)) return 'OPEN';
    this.#handshake = beginUpstream(spec, address, port);
    return this.#send(this.#handshake.hello) ? this.#listen(this.#handshake) : this.#handshake.broken('CLOSED');
  }

  /** Reads until nothing is there, or the handshake is over: what comes behind it stays in the socket. */
  #listen(handshake: UpstreamHandshake): Step {
    const { calls, scratch } = this.#hub;
    for (;;) {
      const count = calls.recv(this.fd, scratch, scratch.length, K.MSG_DONTWAIT);
      if (count < 0) {
        const errno = calls.errno();
        if (errno === EINTR) continue;
        return errno === EAGAIN ? 'WAITING' : handshake.broken('CLOSED');
      }
      if (count === 0) return handshake.broken('CLOSED');
      this.#waiting = Buffer.concat([this.#waiting, scratch.subarray(0, count)]);
      const step = this.#advance(handshake);
      if (step !== 'WAITING') return step;
    }
  }

  /** Takes the messages that are complete. */
  #advance(handshake: UpstreamHandshake): Step {
    for (;;) {
      const read = handshake.read(this.#waiting);
      if (read === undefined) return 'WAITING';
      const { message, length } = read;
      this.#waiting = this.#waiting.subarray(length);
      if (message.kind === 'OPEN') return 'OPEN';
      if (message.kind === 'FAIL') return message.setback;
      if (!this.#send(message.bytes)) return handshake.broken('CLOSED');
    }
  }

  /** @returns whether all of it went out: these messages fit into any socket's buffer */
  #send(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    const { calls } = this.#hub;
    return calls.send(this.fd, bytes, bytes.length, K.MSG_DONTWAIT | K.MSG_NOSIGNAL) === bytes.length;
  }
}
