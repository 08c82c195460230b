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
  /** When the last connection left. */
  idleSince: number;
  timer: NodeJS.Timeout | undefined;
}

/** What becomes of the connections of a watched key. */
export interface Verdicts<Connection> {
  /** Why the rules forbid a connection that is open; undefined: they do not. */
  judge(connection: Connection, rules: KeyRules): Denial | undefined;
  /** Called for every connection whose secret has stopped working, or that the rules forbid. */
  end(connection: Connection, keyId: bigint, why: Denial): void;
  /** Called at once when a watched secret has stopped working, before its connections are ended. */
  stopped(): void;
}

/** Watches secrets, each once for all connections that one answer of the authenticator (one object) has opened. */
export class KeyWatches<Connection> {
  readonly #watchKey: WatchKey;
  readonly #verdicts: Verdicts<Connection>;
  readonly #lingerMs: number;
  readonly #watches = new Map<AuthenticatedKey, Watch<Connection>>();

  /** @param lingerMs for which a secret is still watched when its last connection has left */
  constructor(watchKey: WatchKey, verdicts: Verdicts<Connection>, lingerMs = 0) {
    this.#watchKey = watchKey;
    this.#verdicts = verdicts;
    this.#lingerMs = lingerMs;
  }

  add(connection: Connection, key: AuthenticatedKey): void {
    const watch = this.#watches.get(key) ?? this.#start(key);
    watch.connections.add(connection);
  }

  remove(connection: Connection, key: AuthenticatedKey): void {
    const watch = this.#watches.get(key);
    if (watch === undefined || !watch.connections.delete(connection) || watch.connections.size > 0) return;
    watch.idleSince = performance.now();
    this.#linger(key, watch);
  }

  /** Watches nothing more. */
  close(): void {
    for (const [key, watch] of this.#watches) this.#stop(key, watch);
  }

  /** Stops when the time is over and nobody has come; one timer serves all who come and leave meanwhile. */
  #linger(key: AuthenticatedKey, watch: Watch<Connection>): void {
    if (watch.timer !== undefined || watch.connections.size > 0) return;
    const left = watch.idleSince + this.#lingerMs - performance.now();
    if (left <= 0) return this.#stop(key, watch);
    watch.timer = setTimeout(() => {
      watch.timer = undefined;
      this.#linger(key, watch);
    }, left).unref();
  }

  #stop(key: AuthenticatedKey, watch: Watch<Connection>): void {
    clearTimeout(watch.timer);
    watch.stop();
    this.#watches.delete(key);
  }

  #start(key: AuthenticatedKey): Watch<Connection> {
    const { keyId } = key;
    const connections = new Set<Connection>();
    const die = (why: Denial): void => {
      // Whoever comes with the secret from now on is watched anew.
      clearTimeout(watch.timer);
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
    const onDead = (why: Denial): void => {
      this.#verdicts.stopped();
      setImmediate(die, why);
    };
    const stop = this.#watchKey(key, onDead, obey);
    const watch: Watch<Connection> = { connections, stop, idleSince: 0, timer: undefined };
    this.#watches.set(key, watch);
    return watch;
  }
}
