import type { RefusalCode } from '../../src/errors.ts';
import type { Direction, MeterSession, OpenSession, SessionHandlers } from '../../src/metering/session.ts';

/** A meter without a ledger: one credit of bytes shared by all sessions, granted in pieces. */
export interface TestMeter {
  readonly openSession: OpenSession;
  readonly sessions: readonly TestSession[];
  /** Bytes spent and not given back, over all sessions. */
  spent(direction?: Direction): number;
  /** Adds to the credit and wakes the sessions that wait. */
  grant(bytes: number): void;
  /** Ends every session, as exhaustion or a revocation does. */
  end(reason: RefusalCode): void;
}

export interface TestSession extends MeterSession {
  readonly handlers: SessionHandlers | undefined;
  readonly closed: boolean;
  readonly refunded: number;
}

/** @param credit bytes that may be spent; `endWhenEmpty` ends the sessions at the first spend that is not covered */
export function createTestMeter(credit = Number.MAX_SAFE_INTEGER, endWhenEmpty?: RefusalCode): TestMeter {
  const sessions: Session[] = [];
  const purse: Purse = { left: credit, emptied: () => undefined };
  if (endWhenEmpty !== undefined) {
    purse.emptied = () => setImmediate(() => sessions.forEach((session) => session.end(endWhenEmpty)));
  }
  return {
    sessions,
    openSession: (key, product) => {
      const session = new Session(key.keyId, key.accountId, product, purse);
      sessions.push(session);
      return Promise.resolve({ session });
    },
    spent: (direction) =>
      sessions.reduce((sum, session) => sum + (direction ? session.count(direction) : session.total), 0),
    grant(bytes) {
      purse.left += bytes;
      for (const session of sessions) if (!session.closed) session.handlers?.granted();
    },
    end: (reason) => sessions.forEach((session) => session.end(reason)),
  };
}

interface Purse {
  left: number;
  emptied: () => void;
}

class Session implements TestSession {
  readonly keyId: bigint;
  readonly accountId: bigint;
  readonly product;
  readonly slot = 0;
  readonly cells = { granted: new Float64Array(1), up: new Float64Array(1), down: new Float64Array(1) };
  handlers: SessionHandlers | undefined;
  closed = false;
  refunded = 0;
  readonly #purse: Purse;

  constructor(keyId: bigint, accountId: bigint, product: MeterSession['product'], purse: Purse) {
    this.keyId = keyId;
    this.accountId = accountId;
    this.product = product;
    this.#purse = purse;
  }

  count(direction: Direction): number {
    return this.cells[direction][0] ?? 0;
  }

  get total(): number {
    return this.count('up') + this.count('down');
  }

  spend(direction: Direction, bytes: number): number {
    if (this.closed) throw new Error('spent after close');
    const allowed = Math.min(bytes, this.#purse.left);
    this.#purse.left -= allowed;
    this.cells[direction][0] = this.count(direction) + allowed;
    if (allowed < bytes) this.#purse.emptied();
    return allowed;
  }

  refund(direction: Direction, bytes: number): void {
    if (this.closed) throw new Error('refunded after close');
    if (bytes <= 0 || bytes > this.count(direction)) throw new Error(`refund of ${bytes}`);
    this.refunded += bytes;
    this.#purse.left += bytes;
    this.cells[direction][0] = this.count(direction) - bytes;
  }

  attach(handlers: SessionHandlers): void {
    if (this.handlers !== undefined) throw new Error('attached twice');
    this.handlers = handlers;
  }

  end(reason: RefusalCode): void {
    if (!this.closed) this.handlers?.ended(reason);
  }

  close(): void {
    this.closed = true;
  }
}
