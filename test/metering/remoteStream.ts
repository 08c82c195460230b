import type { RefusalCode } from '../../src/errors.ts';
import type { MeterSession } from '../../src/metering/session.ts';

const WANTED_BYTES = 16 << 10;

/** Answers, orders and the view of `granted` of a relay in another thread: late by some turns. */
export class RemoteStream {
  readonly session: MeterSession;
  ended: RefusalCode | undefined;
  /** Bytes read and not yet accepted by the other side. */
  unaccepted = 0;
  /** Bytes that wait at the source. */
  waiting = 0;
  /** Turns that an order takes to be seen. */
  lagTurns: () => number;
  /** `granted` as the thread sees it. */
  #seen = 0;
  #lowered: number | undefined;
  #asked = false;
  #closing: number | undefined;
  #closed = false;

  constructor(session: MeterSession, lagTurns: () => number = () => 1) {
    this.session = session;
    this.lagTurns = lagTurns;
    session.attach({
      granted: () => this.#request(1),
      ended: (reason) => {
        this.ended = reason;
        this.#closing = this.lagTurns();
      },
      lowered: () => (this.#lowered = this.lagTurns()),
      unaccepted: () => Math.max(0, this.spent - (session.cells.acceptedDown[session.slot] ?? 0)),
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What the other side has accepted, as the thread has written it. */
  get accepted(): number {
    return this.session.cells.acceptedDown[this.session.slot] ?? 0;
  }

  get spent(): number {
    return this.session.cells.down[this.session.slot] ?? 0;
  }

  /** One turn of the thread's loop. */
  turn(): void {
    if (this.#closed) return;
    // A lower value may be seen as late as its order, and a higher one as well.
    const granted = this.session.cells.granted[this.session.slot] ?? 0;
    if (this.#lowered === undefined) this.#seen = granted;
    this.#spend();
    if (this.#lowered !== undefined && this.#lowered-- <= 0) {
      this.#lowered = undefined;
      this.#seen = this.session.cells.granted[this.session.slot] ?? 0;
      this.session.acknowledged();
    }
    if (this.#closing !== undefined && this.#closing-- <= 0) this.close();
  }

  /** Both sides are closed, or the thread is gone. @returns bytes delivered */
  close(): number {
    if (this.#closed) return this.delivered;
    this.#closed = true;
    this.delivered = this.spent - this.unaccepted;
    if (this.unaccepted > 0) this.session.refund('down', this.unaccepted);
    this.session.close();
    return this.delivered;
  }

  /** Bytes that the other side had accepted when it was closed. */
  delivered = 0;

  #spend(): void {
    const { cells, slot } = this.session;
    const count = Math.min(this.waiting, Math.max(0, this.#seen - this.spent));
    this.waiting -= count;
    cells.down[slot] = this.spent + count;
    cells.acceptedDown[slot] = this.spent - this.unaccepted;
    if (this.waiting > 0 && count === 0 && !this.#asked && this.ended === undefined) {
      this.#asked = true;
      this.#request(WANTED_BYTES);
    } else if (count > 0) {
      this.#asked = false;
    }
  }

  #request(bytes: number): void {
    if (this.#closed) return;
    if (this.session.request(bytes) > 0) this.#asked = false;
  }
}
