import type { RefusalCode } from '../../src/errors.ts';
import type { Direction, MeterSession } from '../../src/metering/session.ts';

/** A relay reduced to its contract with the meter: it forwards what it may and holds the rest. */
export class Stream {
  readonly session: MeterSession;
  /** Bytes forwarded, both directions. */
  forwarded = 0;
  /** Bytes read and held until more is granted. */
  held = 0;
  ended: RefusalCode | undefined;
  /** Bytes forwarded that the other side has not accepted. */
  unaccepted = 0;
  /** Called when it may go on. */
  onGranted: () => void = () => {};
  #heldDirection: Direction = 'down';

  constructor(session: MeterSession) {
    this.session = session;
    session.attach({
      granted: () => {
        const held = this.held;
        this.held = 0;
        this.pull(held, this.#heldDirection);
        if (this.held === 0) this.onGranted();
      },
      ended: (reason) => {
        this.ended = reason;
        this.close();
      },
      unaccepted: (direction) => (direction === 'down' ? this.unaccepted : 0),
    });
  }

  /** Reads `bytes` from one side. @returns how many were forwarded */
  pull(bytes: number, direction: Direction = 'down'): number {
    if (this.ended !== undefined || this.held > 0) return 0;
    const allowed = this.session.spend(direction, bytes);
    this.forwarded += allowed;
    this.held = bytes - allowed;
    this.#heldDirection = direction;
    return allowed;
  }

  close(): void {
    if (this.unaccepted > 0) {
      this.session.refund('down', this.unaccepted);
      this.forwarded -= this.unaccepted;
      this.unaccepted = 0;
    }
    this.session.close();
  }
}
