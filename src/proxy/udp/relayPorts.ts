import { UNSPECIFIED } from '../../addresses.ts';
import type { Peer } from '../relay/relay.ts';

/** The sockets of all associations of this process to which clients send: listeners of our own, which come and go. */
export class RelayPorts {
  /** Addresses by port. */
  readonly #open = new Map<number, Set<string>>();

  add({ address, port }: Peer): void {
    this.#open.set(port, (this.#open.get(port) ?? new Set<string>()).add(address));
  }

  delete({ address, port }: Peer): void {
    const addresses = this.#open.get(port);
    addresses?.delete(address);
    if (addresses?.size === 0) this.#open.delete(port);
  }

  /** Whether a datagram sent there would come to one of them. @param address literal in its normal form */
  has(address: string, port: number): boolean {
    const addresses = this.#open.get(port);
    // What is sent to no address in particular comes to the machine itself.
    return addresses !== undefined && (addresses.has(address) || UNSPECIFIED.has(address));
  }
}
