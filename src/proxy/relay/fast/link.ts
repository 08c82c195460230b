import type { LeaseCells } from '../../../metering/session.ts';
import { Negotiation, type Move } from '../../negotiation.ts';
import { AUTHENTICATED, encodeReply, NOT_AUTHENTICATED, REPLIES, type ReplyCode } from '../../socks5.ts';
import { decodeAddress, SOCKADDR_BYTES } from './address.ts';
import { RESET } from './descriptors.ts';
import { Dial } from './dial.ts';
import type { End } from './flow.ts';
import { CLIENT, type Hub, type Side } from './hub.ts';
import { EAGAIN, EINTR, K } from './syscalls.ts';
import type { Timed } from './timers.ts';
import { Tunnel, type TunnelOwner } from './tunnel.ts';

/** Milliseconds from the connection until the request is complete. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Milliseconds that the main thread has to decide about a request; its own limits are shorter. */
const OPEN_TIMEOUT_MS = 30_000;
/** Milliseconds that a refused client has to read its answer and close. */
const LINGER_MS = 1_000;

/** Reads of what a refused client still sends; one that floods is closed when its time is over. */
const MAX_SWALLOWS = 64;

const NOTHING = Buffer.alloc(0);
const FAULTS = K.EPOLLERR;

/** `ASKING`: the main thread decides, about the key or about the request. */
type Stage = 'NEGOTIATING' | 'JUDGED' | 'ASKING' | 'DIALLING' | 'RELAYING' | 'LINGERING' | 'CLOSED';

/** One client in a relay worker, from its greeting until both sides are closed. */
export class Link implements Timed, TunnelOwner {
  readonly id: number;
  due = 0;
  tick = 0;
  readonly #hub: Hub;
  readonly #client: End;
  readonly #clientAddress: string;
  readonly #product: number;
  readonly #negotiation = new Negotiation();
  #stage: Stage = 'NEGOTIATING';
  #waiting: Buffer = NOTHING;
  #clientEnded = false;
  #username = '';
  #announced = false;
  #dial: Dial | undefined;
  #place: { readonly cells: LeaseCells; readonly slot: number } | undefined;
  #tunnel: Tunnel | undefined;
  #targetFd = -1;

  constructor(hub: Hub, id: number, client: { fd: number; address: string; product: number }) {
    this.#hub = hub;
    this.id = id;
    this.#client = { fd: client.fd, readable: true, writable: true };
    this.#clientAddress = client.address;
    this.#product = client.product;
    hub.timers.set(this, hub.now + HANDSHAKE_TIMEOUT_MS);
  }

  /** Without a valid key so far. */
  get anonymous(): boolean {
    return this.#stage === 'NEGOTIATING' || this.#stage === 'JUDGED';
  }

  get relaying(): boolean {
    return this.#stage === 'RELAYING';
  }

  event(side: Side, bits: number): void {
    if (this.#tunnel !== undefined) this.#tunnel.event(side, bits);
    else if (side !== CLIENT) this.#dialled(bits);
    else if (this.#stage === 'NEGOTIATING') this.#receive();
    else if (this.#stage === 'LINGERING') this.#swallow();
    else if ((bits & FAULTS) !== 0) this.abort();
    else this.#client.readable = true;
  }

  expired(): void {
    if (this.#stage === 'DIALLING') {
      this.#dial?.expired();
      this.#nextAttempt();
    } else if (this.#stage === 'LINGERING') {
      this.#close();
    } else {
      this.abort();
    }
  }

  /** The main thread has judged the key. */
  judged(good: boolean): void {
    if (this.#stage !== 'JUDGED') return;
    if (!good) return this.#finish(NOT_AUTHENTICATED);
    this.#hub.learn(this.#username, this.#product);
    this.#stage = 'NEGOTIATING';
    this.#send(AUTHENTICATED);
    this.#advance();
    if (this.#stage === 'NEGOTIATING') this.#receive();
  }

  refused(reply: ReplyCode): void {
    if (this.#stage === 'JUDGED' || this.#stage === 'ASKING') this.#finish(encodeReply(reply));
  }

  dial(addresses: readonly string[], port: number, cells: LeaseCells, slot: number): void {
    if (this.#stage !== 'ASKING') return;
    this.#stage = 'DIALLING';
    this.#place = { cells, slot };
    this.#dial = new Dial(this.#hub, this.id, addresses, port);
    this.#nextAttempt();
  }

  granted(): void {
    this.#tunnel?.granted();
  }

  active(): void {
    this.due = this.#hub.now + this.#hub.idleTimeoutMs;
  }

  finished(): void {
    this.#close();
  }

  failed(): void {
    this.abort();
  }

  /** Cuts both sides at once. */
  abort(): void {
    if (this.#stage === 'CLOSED') return;
    const told = this.#tunnel?.stop();
    // A socket that has sent its end has nothing to tell any more.
    if (told?.client !== true) this.#reset(this.#client.fd);
    if (told?.target !== true && this.#targetFd >= 0) this.#reset(this.#targetFd);
    this.#close();
  }

  #receive(): void {
    const { calls, scratch } = this.#hub;
    while (this.#stage === 'NEGOTIATING') {
      if (this.#clientEnded) return this.abort();
      const count = calls.recv(this.#client.fd, scratch, scratch.length, K.MSG_DONTWAIT);
      if (count > 0) {
        const chunk = scratch.subarray(0, count);
        this.#waiting = this.#waiting.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#waiting, chunk]);
      } else if (count === 0) {
        this.#clientEnded = true;
      } else {
        const errno = calls.errno();
        if (errno === EINTR) continue;
        this.#client.readable = false;
        return errno === EAGAIN ? undefined : this.abort();
      }
      this.#advance();
    }
  }

  /** Takes the messages that are complete. */
  #advance(): void {
    while (this.#stage === 'NEGOTIATING') {
      const decoded = this.#negotiation.read(this.#waiting);
      if (decoded === undefined) return;
      this.#waiting = this.#waiting.subarray(decoded.length);
      this.#move(decoded.message);
    }
  }

  #move(move: Move): void {
    if (move.kind === 'SEND') this.#send(move.answer);
    else if (move.kind === 'LOGIN') this.#login(move.username);
    else if (move.kind === 'CONNECT') this.#ask(move.request.host, move.request.port);
    else {
      if (move.noCredentials) this.#hub.report(['REFUSED', 'NO_CREDENTIALS']);
      if (move.answer === undefined) this.abort();
      else this.#finish(move.answer);
    }
  }

  /** A key that was good a moment ago is believed for this answer; the request is judged in any case. */
  #login(username: string): void {
    this.#username = username;
    if (this.#hub.knows(username, this.#product)) return this.#send(AUTHENTICATED);
    this.#stage = 'JUDGED';
    this.#announced = true;
    this.#hub.report(['AUTHENTICATE', this.id, username, this.#clientAddress, this.#product]);
  }

  #ask(host: string, port: number): void {
    this.#stage = 'ASKING';
    this.#announced = true;
    this.#hub.timers.set(this, this.#hub.now + OPEN_TIMEOUT_MS);
    this.#hub.report(['OPEN', this.id, this.#username, this.#clientAddress, this.#product, host, port]);
  }

  #nextAttempt(): void {
    if (this.#dial === undefined) return;
    if (this.#dial.next()) this.#hub.timers.set(this, this.#dial.due);
    else this.#finish(encodeReply(this.#dial.failure));
  }

  #dialled(bits: number): void {
    if (this.#dial === undefined || (bits & (K.EPOLLOUT | K.EPOLLERR | K.EPOLLHUP)) === 0) return;
    if (this.#dial.connected()) this.#relay(this.#dial.fd);
    else this.#nextAttempt();
  }

  #relay(fd: number): void {
    const place = this.#place;
    if (place === undefined) return this.abort();
    this.#targetFd = fd;
    this.#dial = undefined;
    this.#stage = 'RELAYING';
    this.#hub.relaying();
    this.#hub.timers.set(this, this.#hub.now + this.#hub.idleTimeoutMs);
    if (!this.#succeed(fd)) return this.abort();
    const ends = { client: this.#client, target: { fd, readable: true, writable: true } };
    this.#client.readable = true;
    this.#tunnel = new Tunnel(this.#hub, this, ends, place.cells, place.slot);
    this.#tunnel.begin(this.#waiting, this.#clientEnded);
    this.#waiting = NOTHING;
  }

  /** The reply of success carries the address dialled from. @returns whether it was sent */
  #succeed(fd: number): boolean {
    const address = Buffer.alloc(SOCKADDR_BYTES);
    this.#hub.calls.getsockname(fd, address, Uint32Array.of(SOCKADDR_BYTES));
    const local = decodeAddress(address);
    const reply = encodeReply(REPLIES.SUCCEEDED, local.address, local.port);
    return this.#hub.calls.send(this.#client.fd, reply, reply.length, K.MSG_DONTWAIT | K.MSG_NOSIGNAL) === reply.length;
  }

  /** Answers during the handshake fit into any socket's buffer; a client that is gone shows when it is read. */
  #send(bytes: Uint8Array): void {
    this.#hub.calls.send(this.#client.fd, bytes, bytes.length, K.MSG_DONTWAIT | K.MSG_NOSIGNAL);
  }

  /** Sends the last answer and closes, so that the answer arrives. */
  #finish(answer: Uint8Array): void {
    this.#dial?.drop();
    this.#dial = undefined;
    this.#stage = 'LINGERING';
    this.#send(answer);
    this.#hub.calls.shutdown(this.#client.fd, K.SHUT_WR);
    this.#hub.timers.set(this, this.#hub.now + LINGER_MS);
    this.#swallow();
  }

  /** Closing with unread bytes would be a reset, which can overtake the answer. */
  #swallow(): void {
    const { calls, scratch } = this.#hub;
    for (let read = 0; read < MAX_SWALLOWS; read++) {
      const count = calls.recv(this.#client.fd, scratch, scratch.length, K.MSG_DONTWAIT);
      if (count > 0) continue;
      if (count === 0 || calls.errno() !== EAGAIN) this.#close();
      return;
    }
  }

  /** Closing will be a reset, so that the other side does not take the cut for a regular end. */
  #reset(fd: number): void {
    this.#hub.calls.setsockopt(fd, K.SOL_SOCKET, K.SO_LINGER, RESET, RESET.byteLength);
  }

  #close(): void {
    this.#stage = 'CLOSED';
    this.#tunnel?.stop();
    this.#dial?.drop();
    this.#hub.descriptors.close(this.#client.fd);
    if (this.#targetFd >= 0) this.#hub.descriptors.close(this.#targetFd);
    this.#hub.closed(this.id, { announced: this.#announced, relayed: this.#targetFd >= 0 });
  }
}
