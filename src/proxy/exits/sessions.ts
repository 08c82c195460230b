import type { StickySession } from '../username.ts';

/** Sessions of one key that are remembered; beyond it the one not used for longest is forgotten. */
const MAX_PER_KEY = 1_024;
/** Sessions of all keys that are remembered; beyond it those of the key not used for longest go first. */
const MAX_SESSIONS = 65_536;

interface Pin<Exit> {
  exit: Exit;
  /** When the session began: its end does not move while it is used. */
  readonly since: number;
}

/** Which exit a session sticks to. Bounded; what is forgotten begins anew. */
export class Sessions<Exit> {
  /** The one used last is the last one, of keys and of the sessions of each. */
  readonly #keys = new Map<bigint, Map<string, Pin<Exit>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns undefined when it has none, or had it for its time */
  find(keyId: bigint, { id, ttlMs }: StickySession, now: number): Exit | undefined {
    const sessions = this.#keys.get(keyId);
    const pin = sessions?.get(id);
    if (sessions === undefined || pin === undefined) return undefined;
    if (now >= pin.since + ttlMs) {
      this.#forget(keyId, sessions, id);
      return undefined;
    }
    sessions.delete(id);
    sessions.set(id, pin);
    this.#keys.delete(keyId);
    this.#keys.set(keyId, sessions);
    return pin.exit;
  }

  /** The session leaves through this exit from now on. A change of the exit does not prolong it. */
  pin(keyId: bigint, { id }: StickySession, exit: Exit, now: number): void {
    const sessions = this.#keys.get(keyId) ?? new Map<string, Pin<Exit>>();
    const known = sessions.get(id);
    if (known !== undefined) {
      known.exit = exit;
      return;
    }
    this.#makeRoom(keyId, sessions);
    this.#keys.delete(keyId);
    this.#keys.set(keyId, sessions.set(id, { exit, since: now }));
    this.#size++;
  }

  #makeRoom(keyId: bigint, sessions: Map<string, Pin<Exit>>): void {
    if (sessions.size >= MAX_PER_KEY) this.#forgetOldest(keyId, sessions);
    if (this.#size < MAX_SESSIONS) return;
    for (const [otherId, others] of this.#keys) return this.#forgetOldest(otherId, others);
  }

  #forgetOldest(keyId: bigint, sessions: Map<string, Pin<Exit>>): void {
    for (const id of sessions.keys()) return this.#forget(keyId, sessions, id);
  }

  #forget(keyId: bigint, sessions: Map<string, Pin<Exit>>, id: string): void {
    if (sessions.delete(id)) this.#size--;
    if (sessions.size === 0) this.#keys.delete(keyId);
  }
}
