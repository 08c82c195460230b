import type { Socket } from 'node:net';

import { cut } from '../relay/handle.ts';
import type { Tunnel } from '../relay/relay.ts';
import type { Association } from './association.ts';

/** The TCP connection of an association: neither outlives the other (RFC 1928, section 7). */
export class Control implements Tunnel {
  readonly #socket: Socket;
  readonly #association: Association;

  /** @param closed called once, when both are over */
  constructor(socket: Socket, association: Association, closed: () => void) {
    this.#socket = socket;
    this.#association = association;
    socket.on('end', () => this.abort());
    socket.on('close', () => {
      association.end();
      closed();
    });
    // Nothing is to come; what does come is thrown away, so that the end behind it is seen.
    socket.resume();
  }

  abort(): void {
    this.#association.end();
    cut(this.#socket);
  }
}
