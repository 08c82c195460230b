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
  /** The rules that it was told last; undefined: none but those that the key was found with. */
  rules: KeyRules | undefined;
  stop: () => void;
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
    // It was let in by the rules of before, and would never be told. Later, as in `#start`: it is being let in.
    if (watch.rules !== undefined) setImmediate(() => this.#judge(connection, key, watch));
  }

  remove(connection: Connection, key: AuthenticatedKey): void {
    const watch = this.#watches.get(key);
    if (watch === undefined || !watch.connections.delete(connection) || watch.connections.size > 0) return;
    watch.stop();
    this.#watches.delete(key);
  }

  #judge(connection: Connection, { keyId }: AuthenticatedKey, { connections, rules }: Watch<Connection>): void {
    if (rules === undefined || !connections.has(connection)) return;
    const why = this.#verdicts.judge(connection, rules);
    if (why !== undefined) this.#verdicts.end(connection, keyId, why);
  }

  #start(key: AuthenticatedKey): Watch<Connection> {
    const connections = new Set<Connection>();
    const watch: Watch<Connection> = { connections, rules: undefined, stop: () => undefined };
    const die = (why: Denial): void => {
      // Whoever comes with the secret from now on is watched anew.
      this.#watches.delete(key);
      for (const connection of connections) this.#verdicts.end(connection, key.keyId, why);
    };
    const obey = (rules: KeyRules): void => {
      watch.rules = rules;
      for (const connection of connections) this.#judge(connection, key, watch);
    };
    // Later: an operation that revokes here closes the connections itself, and says how many there were.
    watch.stop = this.#watchKey(key, (why) => void setImmediate(die, why), obey);
    this.#watches.set(key, watch);
    return watch;
  }
}
