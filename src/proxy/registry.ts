import type { Connection } from './connection.ts';
import { MAX_STRANGERS } from './limits.ts';

/** Every open connection of the portable relay, by stage. */
export class Registry {
  readonly #all = new Set<Connection>();
  /** Not authenticated yet, oldest first. */
  readonly #handshakes = new Set<Connection>();
  readonly #tunnels = new Set<Connection>();

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
    if (this.#handshakes.size >= MAX_STRANGERS) oldest?.abort();
    this.#all.add(connection);
    this.#handshakes.add(connection);
  }

  has(connection: Connection): boolean {
    return this.#all.has(connection);
  }

  authenticated(connection: Connection): void {
    this.#handshakes.delete(connection);
  }

  relaying(connection: Connection): void {
    this.#tunnels.add(connection);
  }

  remove(connection: Connection): void {
    this.#all.delete(connection);
    this.#handshakes.delete(connection);
    this.#tunnels.delete(connection);
  }

  everything(): readonly Connection[] {
    return [...this.#all];
  }

  withoutTunnel(): readonly Connection[] {
    return [...this.#all].filter((connection) => !this.#tunnels.has(connection));
  }
}
