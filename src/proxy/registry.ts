import type { Connection } from './connection.ts';

/** Handshakes without a valid credential at once; beyond it the oldest makes room. */
const MAX_HANDSHAKES = 8_192;

/** Every open connection, by stage and by key. */
export class Registry {
  readonly #maxPerKey: number;
  readonly #all = new Set<Connection>();
  /** Not authenticated yet, oldest first. */
  readonly #handshakes = new Set<Connection>();
  readonly #tunnels = new Set<Connection>();
  readonly #keys = new Map<bigint, Set<Connection>>();

  /** @param maxPerKey connections of one key at once */
  constructor(maxPerKey: number) {
    this.#maxPerKey = maxPerKey;
  }

  get size(): number {
    return this.#all.size;
  }

  get handshakes(): number {
    return this.#handshakes.size;
  }

  get tunnels(): number {
    return this.#tunnels.size;
  }

  add(connection: Connection): void {
    const [oldest] = this.#handshakes;
    if (this.#handshakes.size >= MAX_HANDSHAKES) oldest?.abort();
    this.#all.add(connection);
    this.#handshakes.add(connection);
  }

  has(connection: Connection): boolean {
    return this.#all.has(connection);
  }

  /** @returns false when the key has as many as it may; the connection is not counted for it then */
  authenticated(connection: Connection, keyId: bigint): boolean {
    this.#handshakes.delete(connection);
    const connections = this.#keys.get(keyId) ?? new Set();
    if (connections.size >= this.#maxPerKey) return false;
    this.#keys.set(keyId, connections.add(connection));
    return true;
  }

  relaying(connection: Connection): void {
    this.#tunnels.add(connection);
  }

  remove(connection: Connection): void {
    this.#all.delete(connection);
    this.#handshakes.delete(connection);
    this.#tunnels.delete(connection);
    const keyId = connection.key?.keyId;
    if (keyId === undefined) return;
    const connections = this.#keys.get(keyId);
    connections?.delete(connection);
    if (connections?.size === 0) this.#keys.delete(keyId);
  }

  ofKey(keyId: bigint): readonly Connection[] {
    return [...(this.#keys.get(keyId) ?? [])];
  }

  everything(): readonly Connection[] {
    return [...this.#all];
  }

  withoutTunnel(): readonly Connection[] {
    return [...this.#all].filter((connection) => !this.#tunnels.has(connection));
  }
}
