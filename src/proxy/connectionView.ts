import type { AuthenticatedKey, MeterSession } from '../metering/session.ts';
import type { ProxyProtocol } from '../openConnection.ts';

/** What is told of a connection to the owner of its key while it is open. */
export class ConnectionView {
  /** Counts the connections of this process; 0 until the connection belongs to a key. */
  no = 0;
  /** Milliseconds since 1970 when it came to belong to its key. */
  openedAtMs = 0;
  protocol: ProxyProtocol = 'SOCKS5';
  /** What its owner is told of the exit, once the target is reached. */
  exit: string | undefined;
  /** Its cells have the bytes. */
  session: Pick<MeterSession, 'cells' | 'slot'> | undefined;
  #target: string | undefined;
  #showsTarget = false;

  /** `host:port` as the client asked for it, where the key shows its targets. */
  get target(): string | undefined {
    return this.#target;
  }

  admitted(no: number, nowMs: number, { showTargets }: AuthenticatedKey): void {
    this.no = no;
    this.openedAtMs = nowMs;
    this.#showsTarget = showTargets === true;
  }

  /** The rules of the key have changed: a target that is not to be shown any more is forgotten. */
  obey({ showTargets }: { readonly showTargets: boolean }): void {
    this.#showsTarget = showTargets;
    if (!showTargets) this.#target = undefined;
  }

  /** It relays datagrams, to whomever its client writes. */
  associated({ session, exit }: { readonly session: MeterSession; readonly exit: string | undefined }): void {
    this.protocol = 'UDP';
    this.session = session;
    this.exit = exit;
  }

  /** The client may go there. What the key does not show is not kept. */
  bound(session: Pick<MeterSession, 'cells' | 'slot'>, host: string, port: number): void {
    this.session = session;
    if (this.#showsTarget) this.#target = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }
}
