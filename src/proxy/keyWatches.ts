import type { Denial, KeyRules } from '../keyRules.ts';
import type { AuthenticatedKey } from '../metering/session.ts';

/**
 * Calls `onDead` once when the secret that was presented stops working, here or on another instance, and `onRules`
 * when the rules of its key have changed.
 * @returns a function that stops watching
 */
export type WatchKey = (
  key: AuthenticatedKey,
  onDead: (why: Denial) => void,
  onRules: (rules: KeyRules) => void,
) => () => void;

/** For keys that cannot die. */
export const UNWATCHED: WatchKey = () => () => undefined;

interface Watch<Connection> {
  readonly connections: Set<Connection>;
  readonly stop: () => void;
}

/** What becomes of the connections of a watched key. */
export interface Verdicts<Connection> {
  /** Why the rules forbid a connection that is open; undefined: they do not. */
  judge(connection: Connection, rules: KeyRules): Denial | undefined;
  /** Called for every connection whose secret has stopped working, or that the rules forbid. */
  end(connection: Connection, keyId: bigint, why: Denial): void;
}

/** Watches secrets, each once for all connections that one answer of the authenticator (one object) has opened. */
export class KeyWatches<Connection> {
  readonly #watchKey: WatchKey;
  readonly #verdicts: Verdicts<Connection>;
  readonly #watches = new Map<AuthenticatedKey, Watch<Connection>>();

  constructor(watchKey: WatchKey, verdicts: Verdicts<Connection>) {
    this.#watchKey = watchKey;
    this.#verdicts = verdicts;
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
    const { keyId } = key;
    const connections = new Set<Connection>();
    const die = (why: Denial): void => {
      // Whoever comes with the secret from now on is watched anew.
      this.#watches.delete(key);
      for (const connection of connections) this.#verdicts.end(connection, keyId, why);
    };
    const obey = (rules: KeyRules): void => {
      for (const connection of connections) {
        const why = this.#verdicts.judge(connection, rules);
        if (why !== undefined) this.#verdicts.end(connection, keyId, why);
      }
    };
    // Later: an operation that revokes here closes the connections itself, and says how many there were.
    const stop = this.#watchKey(key, (why) => void setImmediate(die, why), obey);
    const watch: Watch<Connection> = { connections, stop };
    this.#watches.set(key, watch);
    return watch;
  }
}
