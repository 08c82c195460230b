import { encodeHeader } from './datagram.ts';

/** Peers of one association: answers of those that were written to longest ago are dropped beyond it. */
export const MAX_PEERS = 1_024;

/** Somebody a client exchanges datagrams with. */
export interface Correspondent {
  /** IP literal, as the fence let it pass. */
  readonly address: string;
  readonly port: number;
  /** Stands before the payload between client and proxy. */
  readonly header: Uint8Array;
}

/** Whom the client of an association has written to. Bounded. */
export class Peers {
  /** The one written to last is the last one. */
  readonly #known = new Map<string, Correspondent>();

  get size(): number {
    return this.#known.size;
  }

  /** @param address literal in its normal form */
  find(address: string, port: number): Correspondent | undefined {
    return this.#known.get(keyOf(address, port));
  }

  /** The client writes to this one. */
  write(address: string, port: number): Correspondent {
    const key = keyOf(address, port);
    const peer = this.#known.get(key) ?? { address, port, header: encodeHeader(address, port) };
    this.#known.delete(key);
    this.#known.set(key, peer);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_PEERS) break;
      this.#known.delete(oldest);
    }
    return peer;
  }
}

function keyOf(address: string, port: number): string {
  return `${port} ${address}`;
}
