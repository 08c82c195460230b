import type { Move } from '../../negotiation.ts';
import { encodeVerdict, type Verdict } from '../../answers.ts';
import { HANDSHAKE_TIMEOUT_MS, LINGER_MS } from '../../limits.ts';
import { AUTHENTICATED, NOT_AUTHENTICATED } from '../../socks5.ts';
import { Approach, type Step } from './approach.ts';
import { ClientSocket, resetOnClose } from './clientSocket.ts';
import type { Peer } from '../relay.ts';
import { CLIENT, type Hub, type Side } from './hub.ts';
import type { RemoteAttempt } from './messages.ts';
import { Petition } from './petition.ts';
import { K } from './syscalls.ts';
import type { Timed } from './timers.ts';
import { Tunnel, type Place, type TunnelOwner } from './tunnel.ts';

/** Milliseconds that the main thread has to decide about a request; its own limits are shorter. */
const OPEN_TIMEOUT_MS = 30_000;

/** A reset. The error itself may have been told to whoever sent an answer meanwhile; that both ways are shut stays. */
const FAULTS = K.EPOLLERR | K.EPOLLHUP;

/**
 * `ASKING`: the main thread decides, about the key or about the request. `ASSOCIATED`: it relays datagrams as long as
 * the client stays connected here.
 */
type Stage = 'NEGOTIATING' | 'JUDGED' | 'ASKING' | 'DIALLING' | 'RELAYING' | 'ASSOCIATED' | 'LINGERING' | 'CLOSED';

/** One client in a relay worker, from its greeting until both sides are closed. */
export class Link implements Timed, TunnelOwner {
  readonly id: number;
  due = 0;
  tick = 0;
  readonly #hub: Hub;
  readonly #client: ClientSocket;
  /** Until a tunnel begins: most connections are idle ones. */
  #petition: Petition | undefined;
  #stage: Stage = 'NEGOTIATING';
  #approach: Approach | undefined;
  #tunnel: Tunnel | undefined;
  #targetFd = -1;

  constructor(hub: Hub, id: number, client: { fd: number; address: string; product: number }) {
    this.#hub = hub;
    this.id = id;
    this.#client = new ClientSocket(hub, client.fd);
    this.#petition = new Petition(hub, id, client);
    hub.timers.set(this, hub.now + HANDSHAKE_TIMEOUT_MS);
  }

  get #asked(): Petition {
    if (this.#petition === undefined) throw new Error('the tunnel has begun');
    return this.#petition;
  }

  /** Without a valid key so far. */
  get anonymous(): boolean {
    return this.#stage === 'NEGOTIATING' || this.#stage === 'JUDGED';
  }

  get relaying(): boolean {
    return this.#stage === 'RELAYING' || this.#stage === 'ASSOCIATED';
  }

  event(side: Side, bits: number): void {
    if (this.#tunnel !== undefined) this.#tunnel.event(side, bits);
    else if (side !== CLIENT) this.#follow(this.#approach?.event(bits));
    else this.#clientEvent(bits);
  }

  #clientEvent(bits: number): void {
    if (this.#stage === 'NEGOTIATING') this.#receive();
    else if (this.#stage === 'LINGERING') return this.#linger();
    else if (this.#stage === 'ASSOCIATED') return this.#attend();
    // A reset is told once, even when it comes together with the last message: nobody waits for the answer.
    const waits = this.#stage === 'JUDGED' || this.#stage === 'ASKING' || this.#stage === 'DIALLING';
    if (waits && (bits & FAULTS) !== 0) this.abort();
  }

  expired(): void {
    if (this.#stage === 'DIALLING') return this.#follow(this.#approach?.expired());
    if (this.#stage === 'ASSOCIATED') return this.#attend();
    return this.#stage === 'LINGERING' ? this.#close() : this.abort();
  }

  /** The main thread has found the key bad. */
  denied(): void {
    if (this.#stage === 'JUDGED') this.#finish(NOT_AUTHENTICATED);
  }

  /** The main thread has found the key good. @param lasting others may be believed who present it */
  authenticated(lasting: boolean): void {
    if (this.#stage !== 'JUDGED') return;
    if (lasting) this.#asked.learn();
    this.#stage = 'NEGOTIATING';
    this.#client.send(AUTHENTICATED);
    this.#advance();
    if (this.#stage === 'NEGOTIATING') this.#receive();
  }

  refused(verdict: Verdict): void {
    if (this.#stage !== 'JUDGED' && this.#stage !== 'ASKING') return;
    this.#finish(encodeVerdict(this.#asked.answers, verdict));
  }

  dial(attempt: RemoteAttempt, place: Place): void {
    if (this.#stage !== 'ASKING') return;
    this.#stage = 'DIALLING';
    this.#approach = new Approach(this.#hub, this.id, attempt, place);
    this.#follow(this.#approach.begin());
  }

  /** @param local where the client is to send its datagrams */
  associated(local: Peer): void {
    if (this.#stage !== 'ASKING') return;
    this.#stage = 'ASSOCIATED';
    this.#hub.relaying();
    // The main thread knows when it has been idle for too long.
    this.#hub.timers.set(this, Number.POSITIVE_INFINITY);
    if (this.#client.send(this.#asked.answers.opened(local))) this.#attend();
    else this.abort();
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
    if (told?.client !== true) resetOnClose(this.#hub, this.#client.fd);
    if (told?.target !== true && this.#targetFd >= 0) resetOnClose(this.#hub, this.#targetFd);
    this.#close();
  }

  #receive(): void {
    while (this.#stage === 'NEGOTIATING') {
      const received = this.#client.ended ? 'FAILED' : this.#client.receive();
      if (received === 'FAILED') return this.abort();
      if (received === 'NOTHING') return;
      this.#advance();
    }
  }

  /** Takes the messages that are complete. */
  #advance(): void {
    while (this.#stage === 'NEGOTIATING') {
      const decoded = this.#asked.read(this.#client.waiting);
      if (decoded === undefined) return;
      this.#client.waiting = this.#client.waiting.subarray(decoded.length);
      this.#move(decoded.message);
    }
  }

  #move(move: Move): void {
    if (move.kind === 'SEND') this.#client.send(move.answer);
    else if (move.kind === 'LOGIN') this.#login(move.username);
    else if (move.kind === 'CONNECT') this.#ask(() => this.#asked.open(move.request, false));
    else if (move.kind === 'ASSOCIATE') this.#ask(() => this.#asked.associate(move.request, this.#client.local));
    else if (move.kind === 'LOGIN_AND_CONNECT') {
      // The main thread judges the key with the request; that is one round trip.
      this.#asked.username = move.username;
      this.#ask(() => this.#asked.open(move.request, true));
    } else {
      if (move.noCredentials) this.#hub.report(['REFUSED', 'NO_CREDENTIALS']);
      if (move.answer === undefined) this.abort();
      else this.#finish(move.answer);
    }
  }

  #login(username: string): void {
    this.#asked.username = username;
    if (this.#asked.believed) return void this.#client.send(AUTHENTICATED);
    this.#stage = 'JUDGED';
    this.#asked.authenticate();
  }

  /** The main thread decides about the request. */
  #ask(petition: () => void): void {
    this.#stage = 'ASKING';
    this.#hub.timers.set(this, this.#hub.now + OPEN_TIMEOUT_MS);
    petition();
  }

  /** Nothing is to come from the client of an association but its end. */
  #attend(): void {
    const left = this.#client.ended ? 'OVER' : this.#client.swallow();
    // The end may lie behind it.
    if (left === 'MORE') this.#hub.timers.set(this, this.#hub.now);
    else if (left === 'OVER') this.abort();
  }

  /** What became of the attempt so far. The main thread knows what else there is to try. */
  #follow(step: Step | undefined): void {
    if (this.#approach === undefined || step === undefined) return;
    if (step === 'WAITING') return this.#hub.timers.set(this, this.#approach.due);
    if (step === 'OPEN') return this.#relay(this.#approach);
    this.#approach.drop();
    this.#approach = undefined;
    this.#stage = 'ASKING';
    this.#hub.timers.set(this, this.#hub.now + OPEN_TIMEOUT_MS);
    this.#hub.report(['FAILED', this.id, step]);
  }

  #relay(approach: Approach): void {
    const { fd, local, place } = approach;
    this.#targetFd = fd;
    this.#approach = undefined;
    this.#stage = 'RELAYING';
    this.#hub.relaying();
    this.#hub.report(['OPENED', this.id]);
    this.#hub.timers.set(this, this.#hub.now + this.#hub.idleTimeoutMs);
    if (!this.#client.send(this.#asked.answers.opened(local))) return this.abort();
    const ends = { client: this.#client, target: { fd, readable: true, writable: true } };
    this.#client.readable = true;
    this.#petition = undefined;
    this.#tunnel = new Tunnel(this.#hub, this, ends, place);
    this.#tunnel.begin({ up: this.#client.take(), down: approach.take() }, this.#client.ended);
  }

  /** Sends the last answer and closes, so that the answer arrives. */
  #finish(answer: Uint8Array): void {
    this.#stage = 'LINGERING';
    this.#client.end(answer);
    this.#hub.timers.set(this, this.#hub.now + LINGER_MS);
    this.#linger();
  }

  #linger(): void {
    // Who floods is closed when the time is over.
    if (this.#client.swallow() === 'OVER') this.#close();
  }

  #close(): void {
    const relayed = this.relaying;
    this.#stage = 'CLOSED';
    this.#tunnel?.stop();
    this.#approach?.drop();
    this.#client.close();
    if (this.#targetFd >= 0) this.#hub.descriptors.close(this.#targetFd);
    this.#hub.closed(this.id, { announced: this.#petition?.announced ?? true, relayed });
  }
}
