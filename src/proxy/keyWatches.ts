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
    // It was let in by the rules of before, and would never be told. Later, as in `#start`: it is being let in.
    if (watch.rules !== undefined) setImmediate(() => this.#judge(connection, key, watch));
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
    this.#forget(key, watch);
    watch.stop();
  }

  #forget(key: AuthenticatedKey, watch: Watch<Connection>): void {
    clearTimeout(watch.timer);
    if (this.#watches.get(key) === watch) this.#watches.delete(key);
  }

  #judge(connection: Connection, { keyId }: AuthenticatedKey, { connections, rules }: Watch<Connection>): void {
    if (rules === undefined || !connections.has(connection)) return;
    const why = this.#verdicts.judge(connection, rules);
    if (why !== undefined) this.#verdicts.end(connection, keyId, why);
  }

  #start(key: AuthenticatedKey): Watch<Connection> {
    const connections = new Set<Connection>();
    const watch: Watch<Connection> = {
      connections,
      rules: undefined,
      stop: () => undefined,
      idleSince: 0,
      timer: undefined,
    };
    const die = (why: Denial): void => {
      // Whoever comes with the secret from now on is watched anew.
      this.#forget(key, watch);
      for (const connection of connections) this.#verdicts.end(connection, key.keyId, why);
    };
    const obey = (rules: KeyRules): void => {
      watch.rules = rules;
      for (const connection of connections) this.#judge(connection, key, watch);
    };
    // Later: an operation that revokes here closes the connections itself, and says how many there were.
    const onDead = (why: Denial): void => {
      this.#verdicts.stopped();
      setImmediate(die, why);
    };
    watch.stop = this.#watchKey(key, onDead, obey);
    this.#watches.set(key, watch);
    return watch;
  }
}
