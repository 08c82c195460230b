import type { AuthenticatedKey } from '../metering/session.ts';

/**
 * Calls `onDead` once when the secret that was presented stops working, here or on another instance.
 * @returns a function that stops watching
 */
export type WatchKey = (key: AuthenticatedKey, onDead: () => void) => () => void;

/** For keys that cannot die. */
export const UNWATCHED: WatchKey = () => () => undefined;

interface Watch<Connection> {
  readonly connections: Set<Connection>;
  readonly stop: () => void;
}

/** Watches secrets, each once for all connections that one answer of the authenticator (one object) has opened. */
export class KeyWatches<Connection> {
  readonly #watchKey: WatchKey;
  readonly #dead: (connection: Connection, keyId: bigint) => void;
  readonly #watches = new Map<AuthenticatedKey, Watch<Connection>>();

  /** @param dead called for every connection whose secret has stopped working */
  constructor(watchKey: WatchKey, dead: (connection: Connection, keyId: bigint) => void) {
    this.#watchKey = watchKey;
    this.#dead = dead;
  }

  add(connection: Connection, key: AuthenticatedKey): void {
    const watch = this.#watches.get(key) ?? this.#start(key);
    watch.connections.add(connection);
  }

  remove(connection: Connection, key: AuthenticatedKey): void {
    const watch = this.#watches.get(key);
    if (watch === undefined || !watch.connections.delete(connection) || watch.connections.size > 0) return;
    watch.stop();
    this.#watches.delete(key);
  }

  #start(key: AuthenticatedKey): Watch<Connection> {
    const connections = new Set<Connection>();
    const die = (): void => {
      // Whoever comes with the secret from now on is watched anew.
      this.#watches.delete(key);
      for (const connection of connections) this.#dead(connection, key.keyId);
    };
    // Later: an operation that revokes here closes the connections itself, and says how many there were.
    const watch: Watch<Connection> = { connections, stop: this.#watchKey(key, () => void setImmediate(die)) };
    this.#watches.set(key, watch);
    return watch;
  }
}
